// Softmax cross-entropy of integer labels, and its gradient, in one launch: a block per row.
// T: the logits, A: what is computed in and the gradient's type, L: the labels.

// loss[row] = log(sum(exp(x))) - x[label], dx = softmax(x) - (class == label).
// A label out of range is noted and makes its row NaN; one equal to ignored (if has_ignored) makes
// it zero.
template <typename T, typename A, typename L>
__global__ void softmax_cross_entropy(T* loss, A* dx, const L* labels, const T* x, long long rows,
                                      long long classes, int has_ignored, long long ignored,
                                      long long* noted) {
    __shared__ A shared[256];
    auto larger = [](A a, A b) { return a > b || a != a ? a : b; };  // NaN wins
    auto sum = [](A a, A b) { return a + b; };
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const T* logits = x + row * classes;
        A* gradient = dx + row * classes;
        long long label = (long long)labels[row];
        if (has_ignored && label == ignored) {
            for (long long c = threadIdx.x; c < classes; c += blockDim.x) gradient[c] = A(0);
            if (threadIdx.x == 0) loss[row] = (T)A(0);
            continue;
        }
        bool valid = label >= 0 && label < classes;
        if (!valid && threadIdx.x == 0) atomicMin(noted, label);
        A top = (A)logits[0];
        for (long long c = threadIdx.x; c < classes; c += blockDim.x) top = larger((A)logits[c], top);
        top = block_combine(top, shared, larger);
        A total = A(0);
        for (long long c = threadIdx.x; c < classes; c += blockDim.x)
            total += exp((A)logits[c] - top);
        total = block_combine(total, shared, sum);
        A bad = valid ? A(0) : A(nan(""));
        for (long long c = threadIdx.x; c < classes; c += blockDim.x)
            gradient[c] = exp((A)logits[c] - top) / total - A(c == label) + bad;
        if (threadIdx.x == 0)
            loss[row] = (T)(log(total) + top - (valid ? (A)logits[label] : bad));
    }
}
