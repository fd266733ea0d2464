// out[row] = scale times the sum of Term::value(y, p) over the n values of a row, the last row as far as
// there are `size` values. `lanes` threads share a row: a power of two up to a warp, or the block.

template <typename T, typename A, typename O>
__global__ void term_sums(O* out, const T* y, const T* p, long long rows, long long n,
                          long long size, int lanes, double scale) {
    __shared__ A shared[8];
    auto add = [](A a, A b) { return a + b; };
    const int lane = threadIdx.x % lanes, each = blockDim.x / lanes;
    for (long long first = (long long)blockIdx.x * each; first < rows;
         first += (long long)gridDim.x * each) {
        const long long row = first + threadIdx.x / lanes, start = row * n;
        const long long stop = start + n < size ? start + n : size;
        A sum = A(0);
        for (long long i = start + lane; row < rows && i < stop; i += lanes)
            sum += Term::value((A)y[i], (A)p[i]);
        if (lanes > 32) sum = block_combine(sum, shared, add);
        else
            for (int step = lanes / 2; step; step /= 2)
                sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (row < rows && lane == 0) out[row] = (O)(sum * A(scale));
    }
}
