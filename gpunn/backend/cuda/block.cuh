// What kernels share whose threads of a block work together; every source starts with it.

// Combines a value per thread over the warp; every thread gets the result.
template <typename A, typename F>
__device__ A warp_combine(A value, F combine) {
    for (int step = 16; step; step /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
    return value;
}

// The same over the block, of whole warps; `shared` has a place for each.
template <typename A, typename F>
__device__ A block_combine(A value, A* shared, F combine) {
    value = warp_combine(value, combine);
    const int warps = blockDim.x / 32;
    if (warps == 1) return value;
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < warps; ++warp) value = combine(value, shared[warp]);
    __syncthreads();
    return value;
}

// The same over a team that shares a row: a warp, or else the whole block.
template <typename A, typename F>
__device__ A team_combine(A value, A* shared, int team, F combine) {
    return team == 32 ? warp_combine(value, combine) : block_combine(value, shared, combine);
}

