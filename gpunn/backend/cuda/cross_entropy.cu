// Cross-entropies of rows, and their gradients, in one launch. `lanes` threads, a power of two, share a
// row. T: the predictions, A: what is computed in and the gradient's type, L: the labels. With LOGITS
// predictions are logits, else probabilities. If loss is null, sums[block] = the sum over the block's
// rows, times scale, and the gradient is scaled as well.

// What no probability is below, nor above one less this.
template <typename A>
__device__ A clipped(A p) {
    const A low = A(1e-7), high = A(1) - low;
    A q = p < high || p != p ? p : high;
    return q > low || q != q ? q : low;
}

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

// The block's part of the sum of costs, of which each thread has some.
template <typename A>
__device__ void add_up(A* sums, A cost, A* shared, double scale) {
    cost = block_combine(cost, shared, [](A a, A b) { return a + b; });
    if (threadIdx.x == 0) sums[blockIdx.x] = cost * A(scale);
}

// Logits: loss[row] = log(sum(exp(x))) - x[label], dx = (softmax(x) - (class == label)) scale.
// Probabilities: loss[row] = -log(x[label] / sum(x)).
// A label out of range is noted and makes its row NaN; one equal to ignored (if has_ignored) makes
// it zero.
template <typename T, typename A, typename L, bool LOGITS>
__global__ void sparse_cross_entropy(T* loss, A* sums, A* dx, const L* labels, const T* x,
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
        const T* given = x + row * classes;
        A* gradient = dx + row * classes;
        long long label = mine ? (long long)labels[row] : 0;
        bool counts = mine && !(has_ignored && label == ignored);
        bool valid = label >= 0 && label < classes;
        if (counts && !valid && lane == 0) atomicMin(noted, label);
        A top = counts && LOGITS ? (A)given[0] : A(0), total = A(0), bad = valid ? A(0) : A(nan(""));
        if (LOGITS) {
            for (long long c = lane; counts && c < classes; c += lanes)
                top = larger((A)given[c], top);
            top = lanes_combine(top, shared, lanes, larger);
        }
        for (long long c = lane; counts && c < classes; c += lanes)
            total += LOGITS ? exp((A)given[c] - top) : (A)given[c];
        total = lanes_combine(total, shared, lanes, add);
        const A chosen = counts && valid ? (A)given[label] : bad;
        const A q = chosen / total, p = clipped(q), slope = A(1) / total * A(p == q);
        for (long long c = lane; mine && c < classes; c += lanes) {
            A d = LOGITS ? exp((A)given[c] - top) / total - A(c == label)
                         : slope - (c == label ? slope / p : A(0));
            gradient[c] = counts ? (d + bad) * A(scale) : A(0);
        }
        if (mine && lane == 0) {
            A cost = counts ? (LOGITS ? log(total) + top - chosen : -log(p)) : A(0);
            if (loss) loss[row] = (T)cost;
            sum += cost;
        }
    }
    if (!loss) add_up(sums, sum, shared, scale);
}

// Logits: loss[row] = -sum(t log softmax(x)), dx = (softmax(x) sum(t) - t) scale.
// Probabilities: the same of x / sum(x). Labels t become t (1 - smoothing) + smoothing / classes.
template <typename T, typename A, bool LOGITS>
__global__ void dense_cross_entropy(T* loss, A* sums, A* dx, const T* labels, const T* x,
                                    long long rows, long long classes, int lanes, double scale,
                                    double smoothing) {
    __shared__ A shared[256];
    auto larger = [](A a, A b) { return a > b || a != a ? a : b; };
    auto add = [](A a, A b) { return a + b; };
    int lane = threadIdx.x % lanes, each = blockDim.x / lanes;
    A all = A(0);
    for (long long first = (long long)blockIdx.x * each; first < rows;
         first += (long long)gridDim.x * each) {
        const long long row = first + threadIdx.x / lanes;
        const long long behind = row < rows ? classes : 0;
        const T* given = x + row * classes;
        const T* label = labels + row * classes;
        A* gradient = dx + row * classes;
        auto share = [=](long long c) {
            A t = (A)label[c];
            return smoothing ? t * A(1 - smoothing) + A(smoothing / classes) : t;
        };
        A top = behind && LOGITS ? (A)given[0] : A(0), total = A(0), cost = A(0), along = A(0);
        if (LOGITS) {
            for (long long c = lane; c < behind; c += lanes) top = larger((A)given[c], top);
            top = lanes_combine(top, shared, lanes, larger);
        }
        for (long long c = lane; c < behind; c += lanes)
            total += LOGITS ? exp((A)given[c] - top) : (A)given[c];
        total = lanes_combine(total, shared, lanes, add);
        const A shift = LOGITS ? log(total) : A(0);
        // along: the sum of labels; of probabilities, that of dq q
        for (long long c = lane; c < behind; c += lanes) {
            const A t = share(c), q = (A)given[c] / total, p = clipped(q);
            cost -= t * (LOGITS ? (A)given[c] - top - shift : log(p));
            along += LOGITS ? t : t / p * A(p == q) * q;
        }
        cost = lanes_combine(cost, shared, lanes, add);
        along = lanes_combine(along, shared, lanes, add);
        for (long long c = lane; c < behind; c += lanes) {
            const A t = share(c), q = (A)given[c] / total, p = clipped(q);
            const A d = LOGITS ? exp((A)given[c] - top) / total * along - t
                               : (along - t / p * A(p == q)) / total;
            gradient[c] = d * A(scale);
        }
        if (row < rows && lane == 0) {
            if (loss) loss[row] = (T)cost;
            all += cost;
        }
    }
    if (!loss) add_up(sums, all, shared, scale);
}

// loss[row] = mean(-t log p - (1 - t) log(1 - p)) of n values, p = x or for logits 1 / (1 + exp(-x)).
// Labels t become t (1 - smoothing) + smoothing / 2.
template <typename T, typename A, bool LOGITS>
__global__ void binary_cross_entropy(T* loss, A* sums, A* dx, const T* labels, const T* x,
                                     long long rows, long long n, int lanes, double scale,
                                     double smoothing) {
    __shared__ A shared[256];
    int lane = threadIdx.x % lanes, each = blockDim.x / lanes;
    A all = A(0);
    for (long long first = (long long)blockIdx.x * each; first < rows;
         first += (long long)gridDim.x * each) {
        const long long row = first + threadIdx.x / lanes, start = row * n;
        A cost = A(0);
        for (long long i = start + lane; row < rows && i < start + n; i += lanes) {
            A t = (A)labels[i], v = (A)x[i], d;
            if (smoothing) t = t * A(1 - smoothing) + A(smoothing / 2);
            if (LOGITS) {
                const A tail = exp(-fabs(v));  // never overflows
                cost += log1p(tail) + (v < A(0) ? A(0) : v) - v * t;
                d = exp(v > A(0) ? A(0) : v) / (A(1) + tail) - t;
            } else {
                const A p = clipped(v);
                cost -= t * log(p) + (A(1) - t) * log(A(1) - p);
                d = (p - t) / (p * (A(1) - p)) * A(p == v);
            }
            dx[i] = d * A(scale) / A(n);
        }
        cost = lanes_combine(cost, shared, lanes, [](A a, A b) { return a + b; }) / A(n);
        if (row < rows && lane == 0) {
            if (loss) loss[row] = (T)cost;
            all += cost;
        }
    }
    if (!loss) add_up(sums, all, shared, scale);
}
