// Dot-product attention by tiles of SIDE queries and SIDE keys: the matrix of scores is never in
// memory, and is made again for the gradient. Dao et al., 2022, https://arxiv.org/abs/2205.14135
//
// A block of LANES x LANES threads holds a tile: thread (ty, tx) the rows ty and ty + LANES, the
// columns tx and tx + LANES. N: columns of a head, as multiples of LANES, T: what is in memory, A:
// what is computed in. Hidden scores are all HIDDEN, so that a query from which every key is hidden
// takes the mean of all values (with `zeros`, nothing).

constexpr int SIDE = 32, LANES = 16, PITCH = SIDE + 1;
constexpr double HIDDEN = -1e30;

struct Steps {
    long long batch, head, i, j;
};

struct Attention {
    long long batch, heads, key_heads, t, s, n, m;  // queries (batch, t, heads, n), values (.., m)
    long long causal, window, zeros;                // window -1: none
    Steps bias, mask;                               // along (batch, heads, t, s)
    double scale, keep;                             // what is kept in dropout is multiplied by
    unsigned long long threshold, draw, key0, key1; // threshold 0: no dropout
};

template <typename A>
using Tile = A[SIDE * PITCH];

// The sum, or the like, over the LANES threads that share a row.
template <typename A, typename F>
__device__ A row_combine(A value, F combine) {
    for (int step = LANES / 2; step; step /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
    return value;
}

// out = a b^T of SIDE rows of each, of which some may not be there.
template <typename T, typename A>
__device__ void products(A (&out)[2][2], const T* a, long long step_a, int rows_a, const T* b,
                         long long step_b, int rows_b, int size, Tile<A>& left, Tile<A>& right) {
    const int tx = threadIdx.x % LANES, ty = threadIdx.x / LANES;
    out[0][0] = out[0][1] = out[1][0] = out[1][1] = A(0);
    for (int first = 0; first < size; first += SIDE) {
        const int columns = min(SIDE, size - first);
        __syncthreads();
        for (int e = threadIdx.x; e < SIDE * SIDE; e += blockDim.x) {
            int row = e / SIDE, column = e % SIDE;
            bool inside = column < columns;
            left[row * PITCH + column] =
                inside && row < rows_a ? (A)a[row * step_a + first + column] : A(0);
            right[row * PITCH + column] =
                inside && row < rows_b ? (A)b[row * step_b + first + column] : A(0);
        }
        __syncthreads();
#pragma unroll 4
        for (int k = 0; k < columns; ++k)
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int j = 0; j < 2; ++j)
                    out[i][j] = fma(left[(ty + i * LANES) * PITCH + k],
                                    right[(tx + j * LANES) * PITCH + k], out[i][j]);
    }
}

// out += p b for a tile p and `rows` rows of b, as many as p has columns that count.
template <int N, typename T, typename A>
__device__ void add_product(A (&out)[2][N], const Tile<A>& p, const T* b, long long step, int rows,
                            int size, Tile<A>& right) {
    const int tx = threadIdx.x % LANES, ty = threadIdx.x / LANES;
#pragma unroll
    for (int part = 0; part < N; part += 2) {
        const int first = part * LANES;
        if (first >= size) break;
        __syncthreads();
        for (int e = threadIdx.x; e < SIDE * SIDE; e += blockDim.x) {
            int row = e / SIDE, column = e % SIDE;
            right[row * PITCH + column] = row < rows && first + column < size
                                              ? (A)b[row * step + first + column]
                                              : A(0);
        }
        __syncthreads();
#pragma unroll 4
        for (int k = 0; k < rows; ++k)
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int j = 0; j < 2; ++j)
                    out[i][part + j] = fma(p[(ty + i * LANES) * PITCH + k],
                                           right[k * PITCH + j * LANES + tx], out[i][part + j]);
    }
}

// Writes the rows of a tile's result, times factors.
template <int N, typename T, typename A>
__device__ void store(T* out, long long step, const A (&values)[2][N], A factor0, A factor1,
                      int rows, int size) {
    const int tx = threadIdx.x % LANES, ty = threadIdx.x / LANES;
#pragma unroll
    for (int j = 0; j < N; ++j) {
        int column = j * LANES + tx;
        if (column >= size) continue;
        if (ty < rows) out[ty * step + column] = (T)(values[0][j] * factor0);
        if (ty + LANES < rows) out[(ty + LANES) * step + column] = (T)(values[1][j] * factor1);
    }
}

// The score of a pair, of which q k is given.
template <typename T, typename A>
__device__ A score(const Attention& at, const T* bias, const T* mask, long long batch,
                   long long head, long long i, long long j, A product) {
    auto of = [=](const T* x, Steps step) {
        return (A)x[batch * step.batch + head * step.head + i * step.i + j * step.j];
    };
    long long ahead = j - i, distance = ahead < 0 ? -ahead : ahead;
    if ((at.causal && ahead > 0) || (at.window >= 0 && distance >= at.window) ||
        (mask && of(mask, at.mask) == A(0)))
        return A(HIDDEN);
    product *= A(at.scale);
    return bias ? product + of(bias, at.bias) : product;
}

// Whether causality and the window leave something of a tile to be seen.
__device__ bool reachable(const Attention& at, long long i, long long j) {
    long long last_i = min(i + SIDE, at.t) - 1, last_j = min(j + SIDE, at.s) - 1;
    if (at.causal && j > last_i) return false;
    return at.window < 0 || (last_j > i - at.window && j < last_i + at.window);
}

// What dropout multiplies the probability of a pair by.
template <typename A>
__device__ A kept(const Attention& at, const unsigned long long* start, long long row, long long j) {
    if (!at.threshold) return A(1);
    long long e = row * at.s + j;
    Block bits = philox(e / 8, at.draw + (start ? *start : 0), at.key0, at.key1);
    return bits.at(e % 8) >= at.threshold ? A(at.keep) : A(0);
}

// y = softmax(scale q k^T + bias) v; tops and inverses, of (batch, heads, t), are each row's largest
// score and 1 / the sum of exp(score - top).
template <int N, typename T, typename A>
__global__ void attention(T* y, A* tops, A* inverses, const T* q, const T* k, const T* v,
                          const T* bias, const T* mask, const unsigned long long* start,
                          Attention at) {
    __shared__ Tile<A> left, right, p;
    const int tx = threadIdx.x % LANES, ty = threadIdx.x / LANES, n = at.n, m = at.m;
    const long long tiles = (at.t + SIDE - 1) / SIDE, group = at.heads / at.key_heads;
    const long long step_q = at.heads * n, step_k = at.key_heads * n, step_v = at.key_heads * m;
    auto larger = [](A a, A b) { return a > b ? a : b; };
    auto sum = [](A a, A b) { return a + b; };
    const A lowest = log(A(0));  // -infinity
    for (long long job = blockIdx.x; job < at.batch * at.heads * tiles; job += gridDim.x) {
        long long batch = job / tiles / at.heads, head = job / tiles % at.heads;
        long long i0 = job % tiles * SIDE, row0 = (batch * at.heads + head) * at.t + i0;
        const int rows = min((long long)SIDE, at.t - i0);
        const T* own = q + (batch * at.t + i0) * step_q + head * n;
        const T* keys = k + batch * at.s * step_k + head / group * n;
        const T* values = v + batch * at.s * step_v + head / group * m;
        A out[2][N] = {}, sums[2] = {}, top[2] = {lowest, lowest}, s[2][2];
        for (int turn = 0; turn < 2; ++turn) {
            // what is out of reach counts as well where all else is hidden
            if (turn && !__syncthreads_or(top[0] <= A(HIDDEN) || top[1] <= A(HIDDEN))) break;
            for (long long j0 = 0; j0 < at.s; j0 += SIDE) {
                if (reachable(at, i0, j0) == (turn == 1)) continue;
                const int columns = min((long long)SIDE, at.s - j0);
                products(s, own, step_q, rows, keys + j0 * step_k, step_k, columns, n, left, right);
#pragma unroll
                for (int a = 0; a < 2; ++a) {
                    const int row = ty + a * LANES;
                    A highest = top[a], part = A(0);
#pragma unroll
                    for (int b = 0; b < 2; ++b) {
                        const int column = tx + b * LANES;
                        s[a][b] = column >= columns ? lowest
                                  : row >= rows     ? A(0)
                                                    : score(at, bias, mask, batch, head, i0 + row,
                                                            j0 + column, s[a][b]);
                        highest = larger(highest, s[a][b]);
                    }
                    highest = row_combine(highest, larger);
                    A base = highest == lowest ? A(0) : highest;
#pragma unroll
                    for (int b = 0; b < 2; ++b) {
                        const int column = tx + b * LANES;
                        A value = exp(s[a][b] - base);
                        part += value;
                        if (at.zeros && s[a][b] == A(HIDDEN)) value = A(0);
                        if (row < rows && column < columns)
                            value *= kept<A>(at, start, row0 + row, j0 + column);
                        p[row * PITCH + column] = value;
                    }
                    A shrink = exp(top[a] - base);
                    sums[a] = sums[a] * shrink + row_combine(part, sum);
                    top[a] = highest;
#pragma unroll
                    for (int j = 0; j < N; ++j) out[a][j] *= shrink;
                }
                add_product(out, p, values + j0 * step_v, step_v, columns, m, right);
            }
        }
        store(y + (batch * at.t + i0) * at.heads * m + head * m, at.heads * m, out, A(1) / sums[0],
              A(1) / sums[1], rows, m);
#pragma unroll
        for (int a = 0; a < 2; ++a)
            if (tx == 0 && ty + a * LANES < rows) {
                tops[row0 + ty + a * LANES] = top[a];
                inverses[row0 + ty + a * LANES] = A(1) / sums[a];
            }
    }
}

// The sum of dy y of a row, which is the same in all threads that share it.
template <typename T, typename A>
__device__ A row_dot(const T* dy, const T* y, bool inside, int size) {
    A dot = A(0);
    for (int c = threadIdx.x % LANES; inside && c < size; c += LANES) dot += (A)dy[c] * (A)y[c];
    return row_combine(dot, [](A a, A b) { return a + b; });
}

// With p the probabilities and dp = dy v^T: ds = p (dp - dy y), dq = ds k, dk = ds^T q, dv = p^T dy.
// The first blocks have a tile of keys each, for dk and dv, the others one of queries, for dq; what
// is not wanted is null. ds, of (batch, heads, t, s), is that of the bias; it comes as zeros.
template <int N, typename T, typename A>
__global__ void attention_back(T* dq, T* dk, T* dv, A* ds, const T* dy, const T* y, const A* tops,
                               const A* inverses, const T* q, const T* k, const T* v, const T* bias,
                               const T* mask, const unsigned long long* start, Attention at) {
    __shared__ Tile<A> left, right, p, d;
    __shared__ A dots[SIDE];
    const int tx = threadIdx.x % LANES, ty = threadIdx.x / LANES, n = at.n, m = at.m;
    const long long group = at.heads / at.key_heads, step_q = at.heads * n, step_y = at.heads * m;
    const long long step_k = at.key_heads * n, step_v = at.key_heads * m;
    const long long tiles = (at.t + SIDE - 1) / SIDE, key_tiles = (at.s + SIDE - 1) / SIDE;
    const long long by_keys = dk || dv ? at.batch * at.key_heads * key_tiles : 0;
    const long long jobs = by_keys + (dq || ds ? at.batch * at.heads * tiles : 0);
    for (long long job = blockIdx.x; job < jobs; job += gridDim.x) {
        A s[2][2], dp[2][2];
        if (job < by_keys) {
            long long batch = job / key_tiles / at.key_heads, shared = job / key_tiles % at.key_heads;
            long long j0 = job % key_tiles * SIDE;
            const int rows = min((long long)SIDE, at.s - j0);
            const long long at_k = (batch * at.s + j0) * step_k + shared * n;
            const long long at_v = (batch * at.s + j0) * step_v + shared * m;
            A of_k[2][N] = {}, of_v[2][N] = {};
            for (long long head = shared * group; head < (shared + 1) * group; ++head) {
                for (long long i0 = 0; i0 < at.t; i0 += SIDE) {
                    const long long row0 = (batch * at.heads + head) * at.t + i0;
                    const int columns = min((long long)SIDE, at.t - i0);
                    bool seen = reachable(at, i0, j0);
                    if (!seen) {
                        bool blank = threadIdx.x < columns && tops[row0 + threadIdx.x] <= A(HIDDEN);
                        seen = __syncthreads_or(blank);
                    }
                    if (!seen) continue;
                    const T* queries = q + (batch * at.t + i0) * step_q + head * n;
                    const long long at_y = (batch * at.t + i0) * step_y + head * m;
#pragma unroll
                    for (int a = 0; a < 2; ++a) {
                        const int row = ty + a * LANES;
                        A dot = row_dot<T, A>(dy + at_y + row * step_y, y + at_y + row * step_y,
                                              row < columns, m);
                        if (tx == 0) dots[row] = dot;
                    }
                    products(s, k + at_k, step_k, rows, queries, step_q, columns, n, left, right);
                    products(dp, v + at_v, step_v, rows, dy + at_y, step_y, columns, m, left, right);
#pragma unroll
                    for (int a = 0; a < 2; ++a)
#pragma unroll
                        for (int b = 0; b < 2; ++b) {
                            const int row = ty + a * LANES, column = tx + b * LANES;
                            A given = A(0), slope = A(0);
                            if (row < rows && column < columns) {
                                const long long pair = row0 + column;
                                A of = score(at, bias, mask, batch, head, i0 + column, j0 + row,
                                             s[a][b]);
                                A value = exp(of - tops[pair]) * inverses[pair];
                                A factor = kept<A>(at, start, pair, j0 + row);
                                bool hidden = of == A(HIDDEN);
                                if (!hidden) slope = value * (dp[a][b] * factor - dots[column]);
                                if (!hidden || !at.zeros) given = value * factor;
                            }
                            p[row * PITCH + column] = given;
                            d[row * PITCH + column] = slope;
                        }
                    add_product(of_v, p, dy + at_y, step_y, columns, m, right);
                    add_product(of_k, d, queries, step_q, columns, n, right);
                }
            }
            if (dk) store(dk + at_k, step_k, of_k, A(at.scale), A(at.scale), rows, n);
            if (dv) store(dv + at_v, step_v, of_v, A(1), A(1), rows, m);
            continue;
        }
        const long long own = job - by_keys;
        long long batch = own / tiles / at.heads, head = own / tiles % at.heads;
        long long i0 = own % tiles * SIDE, row0 = (batch * at.heads + head) * at.t + i0;
        const int rows = min((long long)SIDE, at.t - i0);
        const long long at_q = (batch * at.t + i0) * step_q + head * n;
        const long long at_y = (batch * at.t + i0) * step_y + head * m;
        const T* keys = k + batch * at.s * step_k + head / group * n;
        const T* values = v + batch * at.s * step_v + head / group * m;
        A of_q[2][N] = {}, dot[2];
#pragma unroll
        for (int a = 0; a < 2; ++a) {
            const int row = ty + a * LANES;
            dot[a] = row_dot<T, A>(dy + at_y + row * step_y, y + at_y + row * step_y, row < rows, m);
        }
        for (long long j0 = 0; j0 < at.s; j0 += SIDE) {
            if (!reachable(at, i0, j0)) continue;
            const int columns = min((long long)SIDE, at.s - j0);
            products(s, q + at_q, step_q, rows, keys + j0 * step_k, step_k, columns, n, left, right);
            products(dp, dy + at_y, step_y, rows, values + j0 * step_v, step_v, columns, m, left,
                     right);
#pragma unroll
            for (int a = 0; a < 2; ++a)
#pragma unroll
                for (int b = 0; b < 2; ++b) {
                    const int row = ty + a * LANES, column = tx + b * LANES;
                    A slope = A(0);
                    if (row < rows && column < columns) {
                        const long long pair = row0 + row;
                        A of = score(at, bias, mask, batch, head, i0 + row, j0 + column, s[a][b]);
                        A value = exp(of - tops[pair]) * inverses[pair];
                        if (of != A(HIDDEN))
                            slope = value * (dp[a][b] * kept<A>(at, start, pair, j0 + column) - dot[a]);
                        if (ds) ds[pair * at.s + j0 + column] = slope;
                    }
                    d[row * PITCH + column] = slope;
                }
            add_product(of_q, d, keys + j0 * step_k, step_k, columns, n, right);
        }
        if (dq) store(dq + at_q, step_q, of_q, A(at.scale), A(at.scale), rows, n);
    }
}
