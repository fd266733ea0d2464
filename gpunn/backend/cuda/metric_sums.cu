// Sums of metrics. What they are added to is a metric's own code (`Update`), called for each result.

struct Itself {
    template <typename L, typename A>
    __device__ double operator()(L, A p) const { return (double)p; }
};

struct Equal {
    template <typename L, typename A>
    __device__ double operator()(L y, A p) const { return (double)y == (double)p; }
    __device__ double operator()(long long y, long long p) const { return y == p; }
};

template <typename A>
struct SameSide {
    A threshold;
    template <typename L>
    __device__ double operator()(L y, A p) const { return (double)y == (double)(p > threshold); }
};

// What a block has summed goes to the update, if it is the only one, or else to its place.
template <typename T>
__device__ void finish(T* out, double* partial, double total, double count, Update& update) {
    if (threadIdx.x) return;
    if (gridDim.x > 1) {
        partial[2 * blockIdx.x] = total;
        partial[2 * blockIdx.x + 1] = count;
    } else {
        *out = (T)total;
        update(0, total, count);
    }
}

// scale * the sum of value(y[i], p[i]) w[i / inner], and each * the sum of w (null: of one 1).
template <typename T, typename X, typename A, typename L, typename B, typename Value>
__global__ void __launch_bounds__(1024, 1) mean_sums(
    T* out, double* partial, const L* y, const X* p, const T* w, long long n, long long inner,
    double scale, double each, Value value, Update update) {
    __shared__ double shared[32];
    auto add = [](double a, double b) { return a + b; };
    double total = 0, count = !w && blockIdx.x + threadIdx.x == 0 ? 1 : 0;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n;
         i += (long long)gridDim.x * blockDim.x) {
        double weight = w ? (double)w[i / inner] : 1.0;
        total += value(y ? (B)y[i] : B(0), (A)p[i]) * weight;
        if (w && i % inner == 0) count += weight;
    }
    total = block_combine(total, shared, add) * scale;
    count = block_combine(count, shared, add) * each;
    finish(out, partial, total, count, update);
}

// The sums of all blocks.
template <typename T>
__global__ void finish_sums(T* out, const double* partial, long long blocks, Update update) {
    __shared__ double shared[32];
    auto add = [](double a, double b) { return a + b; };
    double total = 0, count = 0;
    for (long long i = threadIdx.x; i < blocks; i += blockDim.x) {
        total += partial[2 * i];
        count += partial[2 * i + 1];
    }
    total = block_combine(total, shared, add);
    count = block_combine(count, shared, add);
    finish(out, (double*)nullptr, total, count, update);
}

// The first place of the largest value of a row; a NaN counts as larger than all.
template <typename A>
struct Best {
    A value;
    long long at;
    __device__ void take(A other, long long place) {
        bool mine = value != value, its = other != other;
        bool better = at < 0 || (its ? !mine || place < at
                                     : !mine && (other > value || (other == value && place < at)));
        if (better && place >= 0) value = other, at = place;
    }
};

// `lanes` threads, neighbours in a warp, share a row.
template <typename T, typename A>
__device__ long long largest(const T* x, long long n, int lane, int lanes) {
    Best<A> best = {A(0), -1};
    for (long long c = lane; c < n; c += lanes) best.take((A)x[c], c);
    for (int step = lanes / 2; step; step /= 2) {
        A value = __shfl_xor_sync(0xffffffffu, best.value, step);
        long long at = __shfl_xor_sync(0xffffffffu, best.at, step);
        best.take(value, at);
    }
    return best.at;
}

// As `mean_sums`, of 1 for rows whose label's class is the largest or, if k > 0, among the k largest.
// one_hot: a label is a row, and means its largest value.
template <typename T, typename X, typename A, typename L, typename B>
__global__ void __launch_bounds__(1024, 1) right_classes(
    T* out, double* partial, const L* y, const X* x, const T* w, long long rows, long long classes,
    int lanes, int one_hot, long long k, long long inner, double scale, double each,
    Update update) {
    __shared__ double shared[32];
    auto add = [](double a, double b) { return a + b; };
    int lane = threadIdx.x % lanes, teams = blockDim.x / lanes;
    double total = 0, count = !w && blockIdx.x + threadIdx.x == 0 ? 1 : 0;
    for (long long first = (long long)blockIdx.x * teams; first < rows;
         first += (long long)gridDim.x * teams) {
        long long row = first + threadIdx.x / lanes, n = row < rows ? classes : 0;
        const X* scores = x + row * classes;
        long long label = one_hot ? largest<L, B>(y + row * classes, n, lane, lanes) : 0;
        bool right;
        if (k == 0) {
            long long found = largest<X, A>(scores, n, lane, lanes);
            right = n && (one_hot ? label == found : (double)(B)y[row] == (double)found);
        } else {
            if (n && !one_hot) label = (long long)(B)y[row];
            bool known = n && label >= 0 && label < classes;
            A score = known ? (A)scores[label] : A(0);
            long long better = 0;
            for (long long c = lane; known && c < n; c += lanes) better += (A)scores[c] > score;
            for (int step = lanes / 2; step; step /= 2)
                better += __shfl_xor_sync(0xffffffffu, better, step);
            right = known && better < k && score == score;
        }
        if (n && lane == 0) {
            double weight = w ? (double)w[row / inner] : 1.0;
            if (right) total += weight;
            if (w && row % inner == 0) count += weight;
        }
    }
    total = block_combine(total, shared, add) * scale;
    count = block_combine(count, shared, add) * each;
    finish(out, partial, total, count, update);
}
