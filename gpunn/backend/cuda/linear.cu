// What surrounds the product of a dense layer, and the whole of a layer of few units. T: the values,
// A: what is computed in, I: counts elements. `Activation` is made of the op's own body.

// y = f(z + bias); z + bias goes to `saved` as well, unless that is y. bias may be null. N values of a
// row are moved at once.
template <typename T, typename A, typename I, int N>
__global__ void finish(T* y, T* saved, const T* bias, I n, I units) {
    I stride = (I)gridDim.x * blockDim.x * N;
    for (I i = ((I)blockIdx.x * blockDim.x + threadIdx.x) * N; i < n; i += stride) {
        Pack<T, N> z = *(const Pack<T, N>*)(saved + i), result;
        const I unit = i % units;
#pragma unroll
        for (int k = 0; k < N; ++k) {
            A value = (A)z.at[k];
            if (bias) value += (A)bias[unit + k];
            z.at[k] = (T)value;
            result.at[k] = (T)Activation::forward(value);
        }
        if (saved != y) *(Pack<T, N>*)(saved + i) = z;
        *(Pack<T, N>*)(y + i) = result;
    }
}

// dz = the gradient of z (not kept if null); sums[split][unit] = its sum over a split of the rows (not
// made if null). A block takes 32 units.
template <typename T, typename A, typename S, typename I>
__global__ void finish_back(T* dz, S* sums, const T* saved, const T* dy, I rows, I units, I splits) {
    __shared__ A shared[8][32];
    I groups = (units + 31) / 32;
    int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    for (I job = blockIdx.x; job < groups * splits; job += gridDim.x) {
        I unit = job % groups * 32 + lane, split = job / groups;
        I share = (rows + splits - 1) / splits;
        I last = min((split + 1) * share, rows);
        A sum = A(0);
        if (unit < units)
            for (I row = split * share + part; row < last; row += 8) {
                I i = row * units + unit;
                A d = Activation::backward((A)saved[i], (A)dy[i]);
                if (dz) dz[i] = (T)d;
                sum += d;
            }
        shared[part][lane] = sum;
        __syncthreads();
        if (part == 0 && unit < units && sums) {
            for (int p = 1; p < 8; ++p) sum += shared[p][lane];
            sums[split * units + unit] = (S)sum;
        }
        __syncthreads();
    }
}

// y = f(x w + bias) for M units, a warp for each row; x w + bias goes to `saved`, unless that is null.
template <typename T, typename A, int M>
__global__ void narrow(T* y, T* saved, const T* x, const T* w, const T* bias, long long rows, int n) {
    int lane = threadIdx.x % 32;
    long long stride = (long long)gridDim.x * blockDim.x / 32;
    for (long long row = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / 32; row < rows;
         row += stride) {
        A sum[M] = {};
        for (int k = lane; k < n; k += 32) {
            A value = (A)x[row * n + k];
#pragma unroll
            for (int m = 0; m < M; ++m) sum[m] = fma(value, (A)w[k * M + m], sum[m]);
        }
#pragma unroll
        for (int m = 0; m < M; ++m) {
            for (int half = 16; half > 0; half /= 2)
                sum[m] += __shfl_xor_sync(0xffffffff, sum[m], half);
            if (lane != m) continue;
            A z = bias ? sum[m] + (A)bias[m] : sum[m];
            if (saved) saved[row * M + m] = (T)z;
            y[row * M + m] = (T)Activation::forward(z);
        }
    }
}

// dw[k][unit] = the sum over rows of x[k] dy[unit]; as if x had a last column of ones, its row is db,
// the gradient of the bias. Neither is made if it is null. A block takes 32 k.
template <typename G, typename T, typename A, int M>
__global__ void narrow_back(G* dw, G* db, const T* x, const T* dy, int rows, int n) {
    __shared__ A shared[8][32][M];
    int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    for (int first = blockIdx.x * 32; first <= n; first += gridDim.x * 32) {
        int k = first + lane;
        A sum[M] = {};
        if (k <= n)
            for (int row = part; row < rows; row += 8) {
                A value = k < n ? (A)x[(long long)row * n + k] : A(1);
#pragma unroll
                for (int m = 0; m < M; ++m) sum[m] = fma(value, (A)dy[row * M + m], sum[m]);
            }
#pragma unroll
        for (int m = 0; m < M; ++m) shared[part][lane][m] = sum[m];
        __syncthreads();
        for (int e = threadIdx.x; e < 32 * M && first + e / M <= n; e += blockDim.x) {
            A total = shared[0][e / M][e % M];
            for (int p = 1; p < 8; ++p) total += shared[p][e / M][e % M];
            G* to = first + e / M < n ? dw ? dw + first * M + e : dw : db ? db + e % M : db;
            if (to) *to = (G)total;
        }
        __syncthreads();
    }
}
