// Normalization of rows of n values: layer normalization, with `centred` 0 that by the root mean
// square, and that of groups of channels. Sums are made in type A. gamma and beta, of type G, may be null. Rows
// are shared by teams of a warp or a whole block, of which all have WARPS warps.

constexpr int WARPS = 8;

// How values lie: ROWS: those of a row beside each other, each with a channel of its own; LAST: arrays
// (batch, places, groups, size), FIRST: (batch, groups, size, places), a row being a group of one of the
// batch. I: counts elements. N values beside each other are taken at once; they belong to one row, and
// of FIRST to one channel.
enum { ROWS, LAST, FIRST };

template <typename I>
struct Layout {
    I rows, n, groups, size;
};

// Where a row's values from i on lie, and the channel of the first, which gamma and beta go by.
template <int LIES, typename I>
__device__ I place(const Layout<I>& at, I row, I i, I& channel) {
    if (LIES != LAST) {
        channel = LIES == ROWS ? i : row % at.groups * at.size + i / (at.n / at.size);
        return row * at.n + i;
    }
    channel = row % at.groups * at.size + i % at.size;
    I channels = at.groups * at.size, places = at.n / at.size;
    return (row / at.groups * places + i / at.size) * channels + channel;
}

// A term of a sum; if it drops, values whose bits are below the threshold, and it multiplies others.
struct Term {
    const void* x;
    const unsigned long long* start;
    unsigned long long draw, key0, key1, threshold;
    double factor;
    long long drops;

    // N values from e on, which all are of one block of random bits.
    template <typename T, typename A, int N>
    __device__ Pack<A, N> at(unsigned long long e) const {
        const Pack<T, N> from = Pack<T, N>::of((const T*)x + e);
        Pack<A, N> values;
#pragma unroll
        for (int k = 0; k < N; ++k) values.at[k] = (A)from.at[k];
        if (!drops) return values;
        const Block bits = philox(e / 8, draw + (start ? *start : 0), key0, key1);
        const A kept = (A)T(factor);
#pragma unroll
        for (int k = 0; k < N; ++k)
            values.at[k] = (A)(T)(values.at[k] * (bits.at(e % 8 + k) >= threshold ? kept : A(0)));
        return values;
    }
};

// y = z gamma + beta, z = (x - mean) / sqrt(variance + epsilon); means and invs (1 / that root) are
// kept for the gradient. With TERMS (2 at most) x is made first, as their sum.
template <typename T, typename A, typename G, typename I, int LIES, int N, int TERMS>
__global__ void row_norm(T* y, A* means, A* invs, T* x, const G* gamma, const G* beta, Layout<I> at,
                         double epsilon, int centred, int team, Term first, Term second) {
    __shared__ A shared[WARPS];
    using Values = Pack<T, N>;
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team * N;
    const I stride = (I)gridDim.x * each, n = at.n;
    for (I row = (I)blockIdx.x * each + threadIdx.x / team; row < at.rows; row += stride) {
        A mean = A(0), squares = A(0);
        I channel;
        for (I i = lane; TERMS && i < n; i += team * N) {
            const I e = place<LIES>(at, row, i, channel);
            const Pack<A, N> a = first.at<T, A, N>(e);
            Pack<A, N> b;
            if (TERMS > 1) b = second.at<T, A, N>(e);
            Values v;
#pragma unroll
            for (int k = 0; k < N; ++k) v.at[k] = (T)(TERMS > 1 ? a.at[k] + b.at[k] : a.at[k]);
            Values::of(x + e) = v;
        }
        if (centred) {
            for (I i = lane; i < n; i += team * N) {
                const Values v = Values::of((const T*)x + place<LIES>(at, row, i, channel));
#pragma unroll
                for (int k = 0; k < N; ++k) mean += (A)v.at[k];
            }
            mean = team_combine(mean, shared, team, sum) / A(n);
        }
        for (I i = lane; i < n; i += team * N) {
            const Values v = Values::of((const T*)x + place<LIES>(at, row, i, channel));
#pragma unroll
            for (int k = 0; k < N; ++k) squares += ((A)v.at[k] - mean) * ((A)v.at[k] - mean);
        }
        A inv = A(1) / sqrt(team_combine(squares, shared, team, sum) / A(n) + A(epsilon));
        for (I i = lane; i < n; i += team * N) {
            const I e = place<LIES>(at, row, i, channel);
            Values v = Values::of(x + e);
#pragma unroll
            for (int k = 0; k < N; ++k) {
                const I own = LIES == FIRST ? channel : channel + k;
                A z = ((A)v.at[k] - mean) * inv;
                if (gamma) z *= (A)gamma[own];
                if (beta) z += (A)beta[own];
                v.at[k] = (T)z;
            }
            Values::of(y + e) = v;
        }
        if (lane == 0) {
            means[row] = mean;
            invs[row] = inv;
        }
    }
}

// The gradient dy of the result, as terms of which all but the first may be null.
template <typename T, typename A, int N>
struct Gradient {
    const T* terms[4];

    // Of N values beside each other.
    template <typename I>
    __device__ Pack<A, N> at(I e) const {
        Pack<A, N> sum;
#pragma unroll
        for (int t = 0; t < 4; ++t) {
            if (!terms[t]) break;
            const Pack<T, N> more = Pack<T, N>::of(terms[t] + e);
#pragma unroll
            for (int k = 0; k < N; ++k) sum.at[k] = t ? sum.at[k] + (A)more.at[k] : (A)more.at[k];
        }
        return sum;
    }

    // Of one.
    template <typename I>
    __device__ A one(I e) const {
        A sum = (A)terms[0][e];
#pragma unroll
        for (int t = 1; t < 4; ++t)
            if (terms[t]) sum += (A)terms[t][e];
        return sum;
    }
};

// The first blocks make dx = (dz - mean(dz) - z mean(dz z)) inv for dz = dy gamma (not if it is null),
// to which `so_far` is added unless that is null. Each of the others sums 32 channels over a split of the places (none if there are no splits): of
// dy z, which is dgamma[split][channel], and of dy, which is dbeta; either may be null.
template <typename T, typename A, typename G, typename S, typename I, int LIES, int N>
__global__ void row_norm_back(T* dx, S* dgamma, S* dbeta, const T* dy0, const T* dy1, const T* dy2,
                              const T* dy3, const T* so_far, const T* x, const A* means,
                              const A* invs, const G* gamma, Layout<I> layout, I splits,
                              int centred, int team) {
    const Gradient<T, A, N> dy = {{dy0, dy1, dy2, dy3}};
    __shared__ A along[WARPS][32], plain[WARPS][32];
    auto sum = [](A a, A b) { return a + b; };
    using Values = Pack<T, N>;
    const int each = blockDim.x / team, at = threadIdx.x % team * N;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const I rows = layout.rows, n = layout.n;
    const I channels = LIES == ROWS ? n : layout.groups * layout.size;
    const I places = LIES == ROWS ? 1 : n / layout.size;  // that share a row of statistics
    const I by_rows = dx ? (rows + each - 1) / each : 0, blocks = (channels + 31) / 32;
    for (I job = blockIdx.x; job < by_rows + blocks * splits; job += gridDim.x) {
        if (job < by_rows) {
            const I row = job * each + threadIdx.x / team;
            if (row >= rows) continue;
            A mean = means[row], inv = invs[row], of_dz = A(0), of_z = A(0);
            I channel;
            for (I i = at; i < n; i += team * N) {
                const I e = place<LIES>(layout, row, i, channel);
                const Pack<A, N> d = dy.at(e);
                const Values v = Values::of(x + e);
#pragma unroll
                for (int k = 0; k < N; ++k) {
                    const I own = LIES == FIRST ? channel : channel + k;
                    A dz = d.at[k] * (gamma ? (A)gamma[own] : A(1));
                    of_dz += dz;
                    of_z += dz * ((A)v.at[k] - mean) * inv;
                }
            }
            of_dz = centred ? team_combine(of_dz, plain[0], team, sum) / A(n) : A(0);
            of_z = team_combine(of_z, along[0], team, sum) / A(n);
            for (I i = at; i < n; i += team * N) {
                const I e = place<LIES>(layout, row, i, channel);
                const Pack<A, N> d = dy.at(e);
                const Values v = Values::of(x + e);
                Values made;
                if (so_far) made = Values::of(so_far + e);
#pragma unroll
                for (int k = 0; k < N; ++k) {
                    const I own = LIES == FIRST ? channel : channel + k;
                    A dz = d.at[k] * (gamma ? (A)gamma[own] : A(1));
                    dz = (dz - of_dz - ((A)v.at[k] - mean) * inv * of_z) * inv;
                    made.at[k] = (T)(so_far ? (A)made.at[k] + dz : dz);
                }
                Values::of(dx + e) = made;
            }
            continue;
        }
        const I own = job - by_rows, c = own % blocks * 32 + lane, split = own / blocks;
        const I all = rows / layout.groups * places, share = (all + splits - 1) / splits;
        const I last = min((split + 1) * share, all);
        if (LIES == FIRST) {  // a warp for each channel, whose values lie beside each other
            for (I channel = c - lane + warp; channel < min(c - lane + 32, channels); channel += WARPS) {
                A of_gamma = A(0), of_beta = A(0);
                for (I p = split * share + lane; p < last; p += 32) {
                    const I row = p / places * layout.groups + channel / layout.size;
                    const I e = (p / places * channels + channel) * places + p % places;
                    A d = dy.one(e);
                    of_gamma += d * (((A)x[e] - means[row]) * invs[row]);
                    of_beta += d;
                }
                of_gamma = warp_combine(of_gamma, sum);
                of_beta = warp_combine(of_beta, sum);
                if (lane == 0 && dgamma) dgamma[split * channels + channel] = (S)of_gamma;
                if (lane == 0 && dbeta) dbeta[split * channels + channel] = (S)of_beta;
            }
            continue;
        }
        A of_gamma = A(0), of_beta = A(0);
        if (c < channels)
            for (I p = split * share + warp; p < last; p += WARPS) {
                const I row = LIES == LAST ? p / places * layout.groups + c / layout.size : p;
                A d = dy.one(p * channels + c);
                of_gamma += d * (((A)x[p * channels + c] - means[row]) * invs[row]);
                of_beta += d;
            }
        along[warp][lane] = of_gamma;
        plain[warp][lane] = of_beta;
        __syncthreads();
        if (warp == 0 && c < channels) {
            for (int i = 1; i < WARPS; ++i) {
                of_gamma += along[i][lane];
                of_beta += plain[i][lane];
            }
            if (dgamma) dgamma[split * channels + c] = (S)of_gamma;
            if (dbeta) dbeta[split * channels + c] = (S)of_beta;
        }
        __syncthreads();
    }
}
