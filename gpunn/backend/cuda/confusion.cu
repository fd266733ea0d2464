// cell[i] = y[i] n + p[i] and weight[i] = w[i / inner]; of an ignored label the weight is 0, and
// where one of both is not in [0, n) it is `unknown` and the cell 0; labels and predictions so are noted.
template <typename Y, typename P>
__global__ void confusion_cells(long long* cell, double* weight, const Y* y, const P* p, const double* w,
                                long long count, long long inner, long long n, int has_ignored,
                                long long ignored, double unknown, long long* bad_label,
                                long long* bad_prediction) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        long long label = (long long)y[i], found = (long long)p[i];
        bool is_ignored = has_ignored && label == ignored;
        bool known = label >= 0 && label < n, valid = found >= 0 && found < n;
        if (bad_label && !known && !is_ignored) atomicMin(bad_label, label);
        if (bad_prediction && !valid) atomicMin(bad_prediction, found);
        double mine = !(known && valid) ? unknown : w ? w[i / inner] : 1.0;
        weight[i] = is_ignored ? 0.0 : mine;
        cell[i] = known && valid ? label * n + found : 0;
    }
}
