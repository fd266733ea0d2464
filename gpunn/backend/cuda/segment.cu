// dst[index[i]] += src[i], rows of one index summed in the order of i: no atomics, one result.
// Indices outside of [0, targets) are left out. Sums are made in type A.

// `order` sorts the indices stably; `sorted` are the indices in that order.
template <typename T, typename A, typename S>
__global__ void scatter_add(T* dst, const S* src, const long long* sorted, const long long* order,
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

// The same in one launch: the block of the first row of an index looks for the others. It has 256
// threads, a column each.
template <typename T, typename A, typename S, typename I>
__global__ void scatter_add_few(T* dst, const S* src, const I* index, long long rows,
                                long long width, long long targets) {
    __shared__ bool matches[256];
    const long long tiles = (width + blockDim.x - 1) / blockDim.x;
    auto at = [=](long long row) {
        long long i = (long long)index[row];
        return i < 0 ? i + targets : i;
    };
    for (long long job = blockIdx.x; job < rows * tiles; job += gridDim.x) {
        const long long first = job / tiles, column = job % tiles * blockDim.x + threadIdx.x;
        const long long target = at(first);
        if (target < 0 || target >= targets) continue;
        bool earlier = false;
        for (long long row = threadIdx.x; row < first; row += blockDim.x)
            earlier = earlier || at(row) == target;
        if (__syncthreads_or(earlier)) continue;
        A sum = column < width ? (A)dst[target * width + column] : A(0);
        for (long long start = first; start < rows; start += blockDim.x) {
            const long long row = start + threadIdx.x;
            const bool found = row < rows && at(row) == target;
            matches[threadIdx.x] = found;
            if (!__syncthreads_or(found)) continue;
            for (int k = 0; column < width && k < blockDim.x; ++k)
                if (matches[k]) sum += (A)src[(start + k) * width + column];
            __syncthreads();
        }
        if (column < width) dst[target * width + column] = (T)sum;
    }
}
