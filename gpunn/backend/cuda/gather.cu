// out[b, k, c] = x[b, index[k], c] for x of shape (before, n, after); negative indices count from the
// end, what is out of range reads `fill`, and what is not in [low, n) is noted. T is any type of the
// values' width, C counts elements.

template <typename T, typename I, typename C>
__global__ void gather(T* out, const T* x, const I* index, T fill, C total, C count, C n, C after,
                       long long low, long long* noted) {
    C stride = (C)gridDim.x * blockDim.x;
    for (C t = (C)blockIdx.x * blockDim.x + threadIdx.x; t < total; t += stride) {
        C row = t / after, column = t % after;
        long long i = (long long)index[row % count];
        if ((i < low || i >= n) && column == 0) atomicMin(noted, i);
        if (i < 0) i += n;
        out[t] = i < 0 || i >= n ? fill : x[(row / count * n + (C)i) * after + column];
    }
}
