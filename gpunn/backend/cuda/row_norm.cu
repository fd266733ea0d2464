// Normalization of rows of n values, a block for each row: layer normalization, and with `centred` 0
// that by the root mean square. Sums are made in type A. gamma and beta may be null.

// y = z gamma + beta, z = (x - mean) / sqrt(variance + epsilon); means and invs (1 / that root) are
// kept for the gradient.
template <typename T, typename A>
__global__ void row_norm(T* y, A* means, A* invs, const T* x, const T* gamma, const T* beta,
                         long long rows, long long n, double epsilon, int centred) {
    __shared__ A shared[32];
    auto sum = [](A a, A b) { return a + b; };
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const T* values = x + row * n;
        A mean = A(0), squares = A(0);
        if (centred) {
            for (long long c = threadIdx.x; c < n; c += blockDim.x) mean += (A)values[c];
            mean = block_combine(mean, shared, sum) / A(n);
        }
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            A d = (A)values[c] - mean;
            squares += d * d;
        }
        A inv = A(1) / sqrt(block_combine(squares, shared, sum) / A(n) + A(epsilon));
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            A z = ((A)values[c] - mean) * inv;
            if (gamma) z *= (A)gamma[c];
            if (beta) z += (A)beta[c];
            y[row * n + c] = (T)z;
        }
        if (threadIdx.x == 0) {
            means[row] = mean;
            invs[row] = inv;
        }
    }
}

// dx = (dz - mean(dz) - z mean(dz z)) inv for dz = dy gamma
template <typename T, typename A>
__global__ void row_norm_back(T* dx, const T* dy, const T* x, const A* means, const A* invs,
                              const T* gamma, long long rows, long long n, int centred) {
    __shared__ A shared[32];
    auto sum = [](A a, A b) { return a + b; };
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        A mean = means[row], inv = invs[row], plain = A(0), along = A(0);
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            long long i = row * n + c;
            A dz = (A)dy[i] * (gamma ? (A)gamma[c] : A(1));
            plain += dz;
            along += dz * ((A)x[i] - mean) * inv;
        }
        plain = centred ? block_combine(plain, shared, sum) / A(n) : A(0);
        along = block_combine(along, shared, sum) / A(n);
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            long long i = row * n + c;
            A dz = (A)dy[i] * (gamma ? (A)gamma[c] : A(1)), z = ((A)x[i] - mean) * inv;
            dx[i] = (T)((dz - plain - z * along) * inv);
        }
    }
}

// The sums over a split of the rows: partial[split][0][c] of dy z, which is dgamma, and [1] of dy,
// which is dbeta. A block takes 32 columns.
template <typename T, typename A>
__global__ void row_norm_sums(A* partial, const T* dy, const T* x, const A* means, const A* invs,
                              long long rows, long long n, long long splits) {
    __shared__ A along[32][33], plain[32][33];
    const int lane = threadIdx.x % 32, first = threadIdx.x / 32, each = blockDim.x / 32;
    const long long groups = (n + 31) / 32;
    for (long long job = blockIdx.x; job < groups * splits; job += gridDim.x) {
        long long c = job % groups * 32 + lane, split = job / groups;
        long long last = rows * (split + 1) / splits;
        A of_gamma = A(0), of_beta = A(0);
        if (c < n)
            for (long long row = rows * split / splits + first; row < last; row += each) {
                A d = (A)dy[row * n + c];
                of_gamma += d * (((A)x[row * n + c] - means[row]) * invs[row]);
                of_beta += d;
            }
        along[first][lane] = of_gamma;
        plain[first][lane] = of_beta;
        __syncthreads();
        if (first == 0 && c < n) {
            for (int i = 1; i < each; ++i) {
                of_gamma += along[i][lane];
                of_beta += plain[i][lane];
            }
            partial[2 * split * n + c] = of_gamma;
            partial[(2 * split + 1) * n + c] = of_beta;
        }
        __syncthreads();
    }
}
