// The first node of a graph: puts into device memory what each launch of the graph is given anew,
// numbers of the host and the rows of a batch. They stand in memory that the host shares, a ring of
// records; `launches` says which one is meant, and is counted on here.

struct Rows {
    const char* from;
    const long long* at;  // which rows; null: they lie one after another
    long long bytes, rows;  // of a row
    char* to;
};

struct Given {
    unsigned long long number[64];
    Rows rows[32];
};

template <typename T>
__device__ void fetch(const Rows& x) {
    const long long items = x.bytes / sizeof(T), count = x.rows * items;
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        const long long row = i / items, item = i - row * items;
        ((T*)x.to)[i] = ((const T*)(x.from + (x.at ? x.at[row] : row) * x.bytes))[item];
    }
}

// A copy from memory that no cache may answer for.
template <typename T>
__device__ T now(const T& shared) {
    return *(const volatile T*)&shared;
}

extern "C" __global__ void set_given(unsigned long long* out, int numbers, int arrays,
                                     const Given* ring, unsigned int records,
                                     unsigned int* launches, unsigned int* done) {
    __shared__ Rows rows[32];
    __shared__ unsigned int launch;
    if (threadIdx.x == 0) launch = atomicAdd(launches, 0u);
    __syncthreads();
    const Given& given = ring[launch % records];
    if (blockIdx.x == 0)
        for (int i = threadIdx.x; i < numbers; i += blockDim.x) out[i] = now(given.number[i]);
    for (int k = threadIdx.x; k < arrays; k += blockDim.x) {
        const Rows& x = given.rows[k];
        rows[k] = {now(x.from), now(x.at), now(x.bytes), now(x.rows), now(x.to)};
    }
    __syncthreads();
    for (int k = 0; k < arrays; ++k) {
        const long long widths = (long long)rows[k].to | (long long)rows[k].from | rows[k].bytes;
        if (widths % 16 == 0) fetch<uint4>(rows[k]);
        else if (widths % 4 == 0) fetch<int>(rows[k]);
        else fetch<char>(rows[k]);
    }
    // the last block to come here has seen all others read the count
    if (threadIdx.x == 0 && atomicAdd(done, 1u) == gridDim.x - 1) {
        atomicExch(done, 0u);
        atomicExch(launches, launch + 1);
    }
}
