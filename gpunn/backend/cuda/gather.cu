// out[b, k, c] = x[b, index[k], c] for x of shape (before, n, after); negative indices count from
// the end, and what is out of range reads `fill`. T is any type of the values' width.

template <typename T, typename I>
__global__ void gather(T* out, const T* x, const I* index, T fill, long long total,
                       long long count, long long n, long long after) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < total; t += stride) {
        long long row = t / after, column = t % after;
        long long i = (long long)index[row % count];
        if (i < 0) i += n;
        out[t] = i < 0 || i >= n ? fill : x[(row / count * n + i) * after + column];
    }
}
