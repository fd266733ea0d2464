// Convolutions as products of matrices of which one is not made: what would be its elements is read
// off the array (implicit GEMM). A block of 256 threads makes a tile of 4096 results, a thread 4 x 4 of
// them. T: the values, A: what is summed in, I: counts elements; `Activation`: see linear.cu.

// A number in a mixed radix, of which the last three places are given.
template <typename I>
struct Digits {
    I at[4];

    __device__ void set(I n, const I* radix) {
        for (int d = 3; d > 0; --d) {
            at[d] = n % radix[d];
            n /= radix[d];
        }
        at[0] = n;
    }

    __device__ void add(I n, const I* radix) {
        at[3] += n;
        for (int d = 3; d > 0; --d)
            while (at[d] >= radix[d]) {
                at[d] -= radix[d];
                ++at[d - 1];
            }
    }
};

// store(row, column, the sum over k in [first, last) of left(row, k) right(k, column)) for the tile at
// (row0, column0). left and right are given digits; what lies beside each other in memory is loaded
// so: along k if LEFT_ALONG_K or RIGHT_ALONG_K.
template <int ACROSS, bool LEFT_ALONG_K, bool RIGHT_ALONG_K, typename A, typename I, typename Left,
          typename Right, typename Store>
__device__ void tile_product(I row0, I column0, I rows, I columns, I first, I last,
                             const I* row_radix, const I* k_radix, Left left, Right right,
                             Store store) {
    constexpr int DEPTH = 16, DOWN = 4096 / ACROSS;
    __shared__ __align__(16) A a[DEPTH][DOWN + 4];
    __shared__ __align__(16) A b[DEPTH][ACROSS + 4];
    __shared__ Digits<I> row_digits[DOWN], k_digits[DEPTH];
    int thread = threadIdx.x, across = thread % (ACROSS / 4) * 4, down = thread / (ACROSS / 4) * 4;
    if (thread < DOWN) row_digits[thread].set(row0 + thread, row_radix);
    Digits<I> mine = {};
    if (thread < DEPTH) mine.set(first + thread, k_radix);
    A sum[4][4] = {};
    for (I start = first; start < last; start += DEPTH) {
        if (thread < DEPTH) {
            k_digits[thread] = mine;
            mine.add(DEPTH, k_radix);
        }
        __syncthreads();
#pragma unroll
        for (int e = thread; e < DEPTH * DOWN; e += 256) {
            int k = LEFT_ALONG_K ? e % DEPTH : e / DOWN, row = LEFT_ALONG_K ? e / DEPTH : e % DOWN;
            bool inside = row0 + row < rows && start + k < last;
            a[k][row] = inside ? (A)left(row_digits[row], k_digits[k]) : A(0);
        }
#pragma unroll
        for (int e = thread; e < DEPTH * ACROSS; e += 256) {
            int k = RIGHT_ALONG_K ? e % DEPTH : e / ACROSS;
            int column = RIGHT_ALONG_K ? e / DEPTH : e % ACROSS;
            bool inside = column0 + column < columns && start + k < last;
            b[k][column] = inside ? (A)right(k_digits[k], start + k, column0 + column) : A(0);
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < DEPTH; ++k)
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j)
                    sum[i][j] = fma(a[k][down + i], b[k][across + j], sum[i][j]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            I row = row0 + down + i, column = column0 + across + j;
            if (row < rows && column < columns) store(row, column, sum[i][j]);
        }
}

// Where the value that a tap sees from a place lies in x, without its channel; -1 for padding.
template <typename I>
__device__ I seen(const Window<I>& w, const Digits<I>& place, const Digits<I>& tap) {
    I at = place.at[0];
#pragma unroll
    for (int d = 0; d < 3; ++d) {
        I along = place.at[d + 1] * w.strides[d] + tap.at[d] * w.dilation[d] - w.before[d];
        if (along < 0 || along >= w.size[d]) return -1;
        at = at * w.size[d] + along;
    }
    return at;
}

// The place from which a tap sees a value of x, without its filter; -1 if there is none.
template <typename I>
__device__ I reached(const Window<I>& w, const Digits<I>& value, const Digits<I>& tap) {
    I at = value.at[0];
#pragma unroll
    for (int d = 0; d < 3; ++d) {
        I along = value.at[d + 1] + w.before[d] - tap.at[d] * w.dilation[d];
        if (along < 0) return -1;
        if (w.strides[d] > 1) {
            if (along % w.strides[d]) return -1;
            along /= w.strides[d];
        }
        if (along >= w.out[d]) return -1;
        at = at * w.out[d] + along;
    }
    return at;
}

// y[place][filter] = f(z), z = bias[filter] + sum over taps and channels of what they see times w; z
// goes to `saved` as well, unless that is null. `channels` and `filters` are those of a group.
template <typename T, typename A, typename I, int ACROSS>
__global__ void convolve(T* y, T* saved, const T* x, const T* w, const T* bias, Window<I> window,
                         I places, I groups, I channels, I filters) {
    constexpr int DOWN = 4096 / ACROSS;
    I of_rows[4] = {0, window.out[0], window.out[1], window.out[2]};
    I of_k[4] = {0, window.taps[1], window.taps[2], channels};
    I k = window.taps[0] * window.taps[1] * window.taps[2] * channels;
    I tall = (places + DOWN - 1) / DOWN, broad = (filters + ACROSS - 1) / ACROSS;
    for (I job = blockIdx.x; job < tall * broad * groups; job += gridDim.x) {
        I group = job / broad % groups, before = group * filters, all = groups * filters;
        tile_product<ACROSS, true, false, A, I>(
            job / broad / groups * DOWN, job % broad * ACROSS, places, filters, I(0), k, of_rows, of_k,
            [=](const Digits<I>& place, const Digits<I>& tap) {
                I at = seen(window, place, tap);
                return at < 0 ? T(0.0f) : x[(at * groups + group) * channels + tap.at[3]];
            },
            [=](const Digits<I>&, I tap, I filter) { return w[tap * all + before + filter]; },
            [=](I place, I filter, A z) {
                I at = place * all + before + filter;
                if (bias) z += (A)bias[before + filter];
                if (saved) saved[at] = (T)z;
                y[at] = (T)Activation::forward(z);
            });
    }
}

// The gradient of z, of that of y; `saved` is null if they are one.
template <typename A, typename T, typename I>
__device__ A inner_gradient(const T* dy, const T* saved, I at) {
    return saved ? Activation::backward((A)saved[at], (A)dy[at]) : (A)dy[at];
}

// dx[value][channel] = sum over taps and filters of dz where they see the value from, times w
template <typename T, typename A, typename I, int ACROSS>
__global__ void convolve_back(T* dx, const T* dy, const T* saved, const T* w, Window<I> window, I values, I groups,
                              I channels, I filters) {
    constexpr int DOWN = 4096 / ACROSS;
    I of_rows[4] = {0, window.size[0], window.size[1], window.size[2]};
    I of_k[4] = {0, window.taps[1], window.taps[2], filters};
    I k = window.taps[0] * window.taps[1] * window.taps[2] * filters;
    I tall = (values + DOWN - 1) / DOWN, broad = (channels + ACROSS - 1) / ACROSS;
    for (I job = blockIdx.x; job < tall * broad * groups; job += gridDim.x) {
        I group = job / broad % groups;
        tile_product<ACROSS, true, true, A, I>(
            job / broad / groups * DOWN, job % broad * ACROSS, values, channels, I(0), k, of_rows, of_k,
            [=](const Digits<I>& value, const Digits<I>& tap) {
                I at = reached(window, value, tap);
                if (at < 0) return A(0);
                return inner_gradient<A>(dy, saved, (at * groups + group) * filters + tap.at[3]);
            },
            [=](const Digits<I>& tap, I, I channel) {
                I t = (tap.at[0] * window.taps[1] + tap.at[1]) * window.taps[2] + tap.at[2];
                return w[((t * channels + channel) * groups + group) * filters + tap.at[3]];
            },
            [=](I value, I channel, A sum) {
                dx[(value * groups + group) * channels + channel] = (T)sum;
            });
    }
}

// dw[split][tap and channel][filter] = sum over a split of the places of what the tap sees, times dz.
// As if one more tap saw 1 everywhere, its row is the gradient of the bias; it goes to db, unless that
// is null.
template <typename T, typename A, typename S, typename I, int ACROSS>
__global__ void convolve_weights(S* dw, S* db, const T* x, const T* dy, const T* saved,
                                 Window<I> window, I places, I groups, I channels, I filters, I splits) {
    constexpr int DOWN = 4096 / ACROSS;
    I of_rows[4] = {0, window.taps[1], window.taps[2], channels};
    I of_k[4] = {0, window.out[0], window.out[1], window.out[2]};
    I rows = window.taps[0] * window.taps[1] * window.taps[2] * channels + 1;
    I tall = (rows + DOWN - 1) / DOWN, broad = (filters + ACROSS - 1) / ACROSS;
    I share = (places + splits - 1) / splits;
    for (I job = blockIdx.x; job < tall * broad * groups * splits; job += gridDim.x) {
        I group = job / broad % groups, before = group * filters, all = groups * filters;
        I split = job / broad / groups / tall;
        tile_product<ACROSS, false, false, A, I>(
            job / broad / groups % tall * DOWN, job % broad * ACROSS, rows, filters, split * share,
            min((split + 1) * share, places), of_rows, of_k,
            [=](const Digits<I>& tap, const Digits<I>& place) {
                if (tap.at[0] == window.taps[0]) return T(1.0f);
                I at = seen(window, place, tap);
                return at < 0 ? T(0.0f) : x[(at * groups + group) * channels + tap.at[3]];
            },
            [=](const Digits<I>&, I place, I filter) {
                return inner_gradient<A>(dy, saved, place * all + before + filter);
            },
            [=](I row, I filter, A sum) {
                S* to = db && row == rows - 1 ? db : dw + (split * rows + row) * all;
                to[before + filter] = (S)sum;
            });
    }
}
