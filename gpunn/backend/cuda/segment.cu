// dst[index[i]] += src[i], rows of one index summed in the order of i: no atomics, one result.
// `order` sorts the indices stably; `sorted` are the indices in that order. Indices outside of
// [0, targets) are left out. Sums are made in type A.

template <typename T, typename A>
__global__ void scatter_add(T* dst, const T* src, const long long* sorted, const long long* order,
                            long long rows, long long width, long long targets) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < rows * width;
         t += stride) {
        long long first = t / width, column = t % width, target = sorted[first];
        if (first > 0 && sorted[first - 1] == target) continue;  // another thread's segment
        if (target < 0 || target >= targets) continue;
        A sum = (A)dst[target * width + column];
        for (long long i = first; i < rows && sorted[i] == target; ++i)
            sum += (A)src[order[i] * width + column];
        dst[target * width + column] = (T)sum;
    }
}
