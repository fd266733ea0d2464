// What kernels share whose threads of a block work together; every source starts with it.

// Combines a value per thread over the block; every thread gets the result.
template <typename A, typename F>
__device__ A block_combine(A value, A* shared, F combine) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    A result = shared[0];
    __syncthreads();
    return result;
}
