// What blocks have summed each for itself, made one.

// out[i] = the sum over splits of partial[split][i], always in their order; from `first` on it goes to
// another array.
template <typename T, typename A>
__global__ void sum_splits(T* out, T* rest, const A* partial, long long first, long long n,
                           long long splits) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        A sum = partial[i];
        for (long long split = 1; split < splits; ++split) sum += partial[split * n + i];
        *(i < first ? out + i : rest + i - first) = (T)sum;
    }
}
