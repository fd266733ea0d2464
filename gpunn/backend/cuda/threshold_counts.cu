// For each threshold and column, by one block: the weights of all positive and all negative labels,
// and of those whose prediction is above the threshold. even: thresholds are evenly spaced in [0, 1]
// (the first one may be a bit lower), and predictions are rounded up to the next.
template <typename O, typename T>
__global__ void __launch_bounds__(1024, 1) threshold_counts(
    O* out, const T* y, const T* p, const T* w, long long rows, long long columns, long long inner,
    const T* thresholds, long long count, int even, Update update) {
    __shared__ double shared[32];
    auto add = [](double a, double b) { return a + b; };
    for (long long i = blockIdx.x; i < count * columns; i += gridDim.x) {
        long long at = i / columns, column = i % columns;
        double right = 0, wrong = 0, positive = 0, negative = 0;
        for (long long row = threadIdx.x; row < rows; row += blockDim.x) {
            long long j = row * columns + column;
            double weight = w ? (double)w[j / inner] : 1.0;
            bool above = p[j] > thresholds[at];
            if (even) {
                T inside = p[j] > T(0) ? (p[j] > T(1) ? T(1) : p[j]) : T(0);
                long long bucket = (long long)ceil(inside * T(count - 1));
                above = bucket > at || (at == 0 && thresholds[0] < T(0));
            }
            bool is = y[j] != T(0);
            (is ? positive : negative) += weight;
            if (above) (is ? right : wrong) += weight;
        }
        right = block_combine(right, shared, add);
        wrong = block_combine(wrong, shared, add);
        positive = block_combine(positive, shared, add);
        negative = block_combine(negative, shared, add);
        if (threadIdx.x) continue;
        out[i] = (O)right;
        update(i, right, wrong, positive, negative);
    }
}
