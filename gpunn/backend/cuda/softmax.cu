// Softmax of rows of n values and its logarithm, computed in type A. Rows are shared by teams of a
// warp or a whole block, whose threads take N values beside each other at once.

// y = exp(x - top) / sum(exp(x - top)), or with LOG its logarithm
template <typename T, typename A, bool LOG, int N>
__global__ void softmax(T* y, const T* x, long long rows, long long n, int team) {
    __shared__ A shared[8];
    using Values = Pack<T, N>;
    auto larger = [](A a, A b) { return a > b || a != a ? a : b; };  // NaN wins
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team * N;
    const long long stride = (long long)gridDim.x * each;
    for (long long row = (long long)blockIdx.x * each + threadIdx.x / team; row < rows;
         row += stride) {
        const T* values = x + row * n;
        A top = (A)values[0], total = A(0);
        for (long long c = lane; c < n; c += team * N) {
            const Values v = Values::of(values + c);
#pragma unroll
            for (int k = 0; k < N; ++k) top = larger((A)v.at[k], top);
        }
        top = team_combine(top, shared, team, larger);
        for (long long c = lane; c < n; c += team * N) {
            const Values v = Values::of(values + c);
#pragma unroll
            for (int k = 0; k < N; ++k) total += exp((A)v.at[k] - top);
        }
        total = team_combine(total, shared, team, sum);
        const A shift = log(total);
        for (long long c = lane; c < n; c += team * N) {
            Values v = Values::of(values + c);
#pragma unroll
            for (int k = 0; k < N; ++k) {
                const A value = (A)v.at[k] - top;
                v.at[k] = (T)(LOG ? value - shift : exp(value) / total);
            }
            Values::of(y + row * n + c) = v;
        }
    }
}

// dx = y (dy - sum(dy y)), or with LOG dx = dy - exp(y) sum(dy)
template <typename T, typename A, bool LOG, int N>
__global__ void softmax_back(T* dx, const T* dy, const T* y, long long rows, long long n,
                             int team) {
    __shared__ A shared[8];
    using Values = Pack<T, N>;
    auto sum = [](A a, A b) { return a + b; };
    const int each = blockDim.x / team, lane = threadIdx.x % team * N;
    const long long stride = (long long)gridDim.x * each;
    for (long long row = (long long)blockIdx.x * each + threadIdx.x / team; row < rows;
         row += stride) {
        const long long start = row * n;
        A total = A(0);
        for (long long c = lane; c < n; c += team * N) {
            const Values d = Values::of(dy + start + c), v = Values::of(y + start + c);
#pragma unroll
            for (int k = 0; k < N; ++k) total += (A)d.at[k] * (LOG ? A(1) : (A)v.at[k]);
        }
        total = team_combine(total, shared, team, sum);
        for (long long c = lane; c < n; c += team * N) {
            Values d = Values::of(dy + start + c);
            const Values v = Values::of(y + start + c);
#pragma unroll
            for (int k = 0; k < N; ++k) {
                const A along = (A)d.at[k], value = (A)v.at[k];
                d.at[k] = (T)(LOG ? along - exp(value) * total : value * (along - total));
            }
            Values::of(dx + start + c) = d;
        }
    }
}
