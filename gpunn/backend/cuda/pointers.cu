// Addresses of the matrices of a batch, for cublasGemmBatched: out[0][i] of the first operand,
// out[1][i] of the second, out[2][i] of the result. The batch has the sizes (count / n1 / n2, n1, n2).

struct Batch {
    unsigned long long start;
    long long step0, step1, step2;  // bytes
};

__device__ unsigned long long address(Batch of, long long i0, long long i1, long long i2) {
    return of.start + i0 * of.step0 + i1 * of.step1 + i2 * of.step2;
}

extern "C" __global__ void pointers(unsigned long long* out, long long count, long long n1,
                                    long long n2, Batch a, Batch b, Batch c) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        long long i2 = i % n2, i1 = i / n2 % n1, i0 = i / n2 / n1;
        out[i] = address(a, i0, i1, i2);
        out[count + i] = address(b, i0, i1, i2);
        out[2 * count + i] = address(c, i0, i1, i2);
    }
}
