// Softmax of rows of n values and its logarithm, computed in type A. Rows are shared by teams of a
// warp or a whole block.

// y = exp(x - top) / sum(exp(x - top)), or with LOG its logarithm
template <typename T, typename A, bool LOG>
__global__ void softmax(T* y, const T* x, long long rows, long long n, int team) {
    __shared__ A shared[8];
    auto larger = [](A a, A b) { return a > b || a != a ? a : b; };  // NaN wins
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team;
    const long long stride = (long long)gridDim.x * each;
    for (long long row = (long long)blockIdx.x * each + threadIdx.x / team; row < rows;
         row += stride) {
        const T* values = x + row * n;
        A top = (A)values[0], total = A(0);
        for (long long c = lane; c < n; c += team) top = larger((A)values[c], top);
        top = team_combine(top, shared, team, larger);
        for (long long c = lane; c < n; c += team) total += exp((A)values[c] - top);
        total = team_combine(total, shared, team, sum);
        const A shift = log(total);
        for (long long c = lane; c < n; c += team) {
            A value = (A)values[c] - top;
            y[row * n + c] = (T)(LOG ? value - shift : exp(value) / total);
        }
    }
}

// dx = y (dy - sum(dy y)), or with LOG dx = dy - exp(y) sum(dy)
template <typename T, typename A, bool LOG>
__global__ void softmax_back(T* dx, const T* dy, const T* y, long long rows, long long n,
                             int team) {
    __shared__ A shared[8];
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team;
    const long long stride = (long long)gridDim.x * each;
    for (long long row = (long long)blockIdx.x * each + threadIdx.x / team; row < rows;
         row += stride) {
        A total = A(0);
        for (long long c = lane; c < n; c += team)
            total += (A)dy[row * n + c] * (LOG ? A(1) : (A)y[row * n + c]);
        total = team_combine(total, shared, team, sum);
        for (long long c = lane; c < n; c += team) {
            A d = (A)dy[row * n + c], value = (A)y[row * n + c];
            dx[row * n + c] = (T)(LOG ? d - exp(value) * total : value * (d - total));
        }
    }
}
