// index[i] = x[i] and factor[i] = 1 for x[i] in [0, n), else 0 and NaN, and x[i] is noted.

template <typename T, typename I>
__global__ void in_range(long long* index, T* factor, const I* x, long long count, long long n,
                         long long* noted) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < count; t += stride) {
        long long i = (long long)x[t];
        bool good = i >= 0 && i < n;
        if (!good) atomicMin(noted, i);
        index[t] = good ? i : 0;
        factor[t] = good ? T(1.0f) : T(nan(""));
    }
}
