// Softmax cross-entropy of integer labels, and its gradient, in one launch. `lanes` threads, a power of
// two, share a row. T: the logits, A: what is computed in and the gradient's type, L: the labels.

// Combines a value per thread over the lanes of its row.
template <typename A, typename F>
__device__ A lanes_combine(A value, A* shared, int lanes, F combine) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = lanes / 2; half > 0; half /= 2) {
        if (threadIdx.x % lanes < half)
            shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    A result = shared[threadIdx.x / lanes * lanes];
    __syncthreads();
    return result;
}

// loss[row] = log(sum(exp(x))) - x[label], dx = (softmax(x) - (class == label)) scale. If loss is null,
// sums[block] = the sum over the block's rows, times scale.
// A label out of range is noted and makes its row NaN; one equal to ignored (if has_ignored) makes
// it zero.
template <typename T, typename A, typename L>
__global__ void softmax_cross_entropy(T* loss, A* sums, A* dx, const L* labels, const T* x,
                                      long long rows, long long classes, int lanes, double scale,
                                      int has_ignored, long long ignored, long long* noted) {
    __shared__ A shared[256];
    auto larger = [](A a, A b) { return a > b || a != a ? a : b; };  // NaN wins
    auto add = [](A a, A b) { return a + b; };
    int lane = threadIdx.x % lanes, each = blockDim.x / lanes;
    A sum = A(0);
    for (long long first = (long long)blockIdx.x * each; first < rows;
         first += (long long)gridDim.x * each) {
        long long row = first + threadIdx.x / lanes;
        bool mine = row < rows;
        const T* logits = x + row * classes;
        A* gradient = dx + row * classes;
        long long label = mine ? (long long)labels[row] : 0;
        bool counts = mine && !(has_ignored && label == ignored);
        bool valid = label >= 0 && label < classes;
        if (counts && !valid && lane == 0) atomicMin(noted, label);
        A top = counts ? (A)logits[0] : A(0), total = A(0), bad = valid ? A(0) : A(nan(""));
        for (long long c = lane; counts && c < classes; c += lanes) top = larger((A)logits[c], top);
        top = lanes_combine(top, shared, lanes, larger);
        for (long long c = lane; counts && c < classes; c += lanes)
            total += exp((A)logits[c] - top);
        total = lanes_combine(total, shared, lanes, add);
        for (long long c = lane; mine && c < classes; c += lanes)
            gradient[c] =
                counts ? (exp((A)logits[c] - top) / total - A(c == label) + bad) * A(scale) : A(0);
        if (mine && lane == 0) {
            A cost = counts ? log(total) + top - (valid ? (A)logits[label] : bad) : A(0);
            if (loss) loss[row] = (T)cost;
            sum += cost;
        }
    }
    if (loss) return;
    sum = block_combine(sum, shared, add);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum * A(scale);
}
