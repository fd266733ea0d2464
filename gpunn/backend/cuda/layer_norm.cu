// Layer normalization of rows of n values, a block for each row. Sums are made in type A.

// y = z gamma + beta, z = (x - mean) / sqrt(variance + epsilon); means and invs (1 / that root) are
// kept for the gradient. gamma and beta may be null.
template <typename T, typename A>
__global__ void layer_norm(T* y, A* means, A* invs, const T* x, const T* gamma, const T* beta,
                           long long rows, long long n, double epsilon) {
    __shared__ A shared[256];
    auto sum = [](A a, A b) { return a + b; };
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const T* values = x + row * n;
        A total = A(0), squares = A(0);
        for (long long c = threadIdx.x; c < n; c += blockDim.x) total += (A)values[c];
        A mean = block_combine(total, shared, sum) / A(n);
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

// dx = (dz - mean(dz) - z mean(dz z)) inv for dz = dy gamma; products = dy z, if wanted, are what the
// gradient of gamma is the sum of.
template <typename T, typename A>
__global__ void layer_norm_back(T* dx, A* products, const T* dy, const T* x, const A* means,
                                const A* invs, const T* gamma, long long rows, long long n) {
    __shared__ A shared[256];
    auto sum = [](A a, A b) { return a + b; };
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        A mean = means[row], inv = invs[row], plain = A(0), along = A(0);
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            long long i = row * n + c;
            A dz = (A)dy[i] * (gamma ? (A)gamma[c] : A(1)), z = ((A)x[i] - mean) * inv;
            plain += dz;
            along += dz * z;
        }
        plain = block_combine(plain, shared, sum) / A(n);
        along = block_combine(along, shared, sum) / A(n);
        for (long long c = threadIdx.x; c < n; c += blockDim.x) {
            long long i = row * n + c;
            A dz = (A)dy[i] * (gamma ? (A)gamma[c] : A(1)), z = ((A)x[i] - mean) * inv;
            dx[i] = (T)((dz - plain - z * along) * inv);
            if (products) products[i] = (A)dy[i] * z;
        }
    }
}
