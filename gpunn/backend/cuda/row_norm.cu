// Normalization of rows of n values: layer normalization, and with `centred` 0 that by the root mean
// square. Sums are made in type A. gamma and beta may be null. Rows are shared by teams of a warp or a
// whole block, of which all have WARPS warps.

constexpr int WARPS = 8;

// y = z gamma + beta, z = (x - mean) / sqrt(variance + epsilon); means and invs (1 / that root) are
// kept for the gradient.
template <typename T, typename A>
__global__ void row_norm(T* y, A* means, A* invs, const T* x, const T* gamma, const T* beta,
                         long long rows, long long n, double epsilon, int centred, int team) {
    __shared__ A shared[WARPS];
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team;
    const long long stride = (long long)gridDim.x * each;
    for (long long row = (long long)blockIdx.x * each + threadIdx.x / team; row < rows;
         row += stride) {
        const T* values = x + row * n;
        A mean = A(0), squares = A(0);
        if (centred) {
            for (long long c = lane; c < n; c += team) mean += (A)values[c];
            mean = team_combine(mean, shared, team, sum) / A(n);
        }
        for (long long c = lane; c < n; c += team) {
            A d = (A)values[c] - mean;
            squares += d * d;
        }
        A inv = A(1) / sqrt(team_combine(squares, shared, team, sum) / A(n) + A(epsilon));
        for (long long c = lane; c < n; c += team) {
            A z = ((A)values[c] - mean) * inv;
            if (gamma) z *= (A)gamma[c];
            if (beta) z += (A)beta[c];
            y[row * n + c] = (T)z;
        }
        if (lane == 0) {
            means[row] = mean;
            invs[row] = inv;
        }
    }
}

// The first blocks make dx = (dz - mean(dz) - z mean(dz z)) inv for dz = dy gamma (not if it is null).
// Each of the others sums 32 columns over a split of the rows (none if there are no splits): of dy z,
// which is dgamma[split][c], and of dy, which is dbeta; either may be null.
template <typename T, typename A, typename S>
__global__ void row_norm_back(T* dx, S* dgamma, S* dbeta, const T* dy, const T* x, const A* means,
                              const A* invs, const T* gamma, long long rows, long long n,
                              long long splits, int centred, int team) {
    __shared__ A along[WARPS][32], plain[WARPS][32];
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, at = threadIdx.x % team;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const long long by_rows = dx ? (rows + each - 1) / each : 0, groups = (n + 31) / 32;
    for (long long job = blockIdx.x; job < by_rows + groups * splits; job += gridDim.x) {
        if (job < by_rows) {
            const long long row = job * each + threadIdx.x / team;
            if (row >= rows) continue;
            A mean = means[row], inv = invs[row], of_dz = A(0), of_z = A(0);
            for (long long c = at; c < n; c += team) {
                A dz = (A)dy[row * n + c] * (gamma ? (A)gamma[c] : A(1));
                of_dz += dz;
                of_z += dz * ((A)x[row * n + c] - mean) * inv;
            }
            of_dz = centred ? team_combine(of_dz, plain[0], team, sum) / A(n) : A(0);
            of_z = team_combine(of_z, along[0], team, sum) / A(n);
            for (long long c = at; c < n; c += team) {
                A dz = (A)dy[row * n + c] * (gamma ? (A)gamma[c] : A(1));
                A z = ((A)x[row * n + c] - mean) * inv;
                dx[row * n + c] = (T)((dz - of_dz - z * of_z) * inv);
            }
            continue;
        }
        const long long own = job - by_rows, c = own % groups * 32 + lane, split = own / groups;
        const long long last = rows * (split + 1) / splits;
        A of_gamma = A(0), of_beta = A(0);
        if (c < n)
            for (long long row = rows * split / splits + warp; row < last; row += WARPS) {
                A d = (A)dy[row * n + c];
                of_gamma += d * (((A)x[row * n + c] - means[row]) * invs[row]);
                of_beta += d;
            }
        along[warp][lane] = of_gamma;
        plain[warp][lane] = of_beta;
        __syncthreads();
        if (warp == 0 && c < n) {
            for (int i = 1; i < WARPS; ++i) {
                of_gamma += along[i][lane];
                of_beta += plain[i][lane];
            }
            if (dgamma) dgamma[split * n + c] = (S)of_gamma;
            if (dbeta) dbeta[split * n + c] = (S)of_beta;
        }
        __syncthreads();
    }
}
