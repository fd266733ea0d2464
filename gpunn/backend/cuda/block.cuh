// What kernels share whose threads of a block work together; every source starts with it.

// Combines a value per thread over the block, of whole warps; every thread gets the result. `shared`
// has a place for each warp.
template <typename A, typename F>
__device__ A block_combine(A value, A* shared, F combine) {
    for (int step = 16; step; step /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
    const int warps = blockDim.x / 32;
    if (warps == 1) return value;
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < warps; ++warp) value = combine(value, shared[warp]);
    __syncthreads();
    return value;
}

