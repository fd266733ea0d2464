// Batch normalization of arrays (before, channels, after) by the batch's own statistics. A block takes
// `lanes` channels (a power of two) that lie beside each other, and a split of the rows, which are the
// values of a channel. What the splits sum is combined by every block that needs it, always in the
// same order. T: the values, A: what is computed in, G: scale and offset, I: counts elements.

template <typename I>
struct Channels {
    I rows, channels, after, lanes, splits;

    __device__ I at(I row, I channel) const {
        return after == 1 ? row * channels + channel
                          : (row / after * channels + channel) * after + row % after;
    }
    __device__ I first(I split) const { return rows / splits * split + min(split, rows % splits); }
    __device__ I jobs() const { return (channels + lanes - 1) / lanes * splits; }
};

// Combines a value per thread over the threads of a channel, each of which gets the result.
template <typename V, typename F>
__device__ V channel_combine(V value, V* shared, int lanes, F combine) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half >= lanes; half /= 2) {
        if (threadIdx.x < half)
            shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    V result = shared[threadIdx.x % lanes];
    __syncthreads();
    return result;
}

// The mean of some values, and the sum of their squared distances from it (Chan et al., 1983).
template <typename A>
struct Moments {
    A count, mean, squares;
};

template <typename A>
__device__ Moments<A> together(Moments<A> a, Moments<A> b) {
    A count = a.count + b.count;
    if (count == A(0)) return a;
    A apart = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share};
}

// moments[split][0][channel] = mean, [1] = squares; a thread goes twice over its values.
template <typename T, typename A, typename I>
__global__ void batch_moments(A* moments, const T* x, Channels<I> of) {
    __shared__ Moments<A> shared[256];
    I groups = of.jobs() / of.splits, each = blockDim.x / of.lanes;
    for (I job = blockIdx.x; job < of.jobs(); job += gridDim.x) {
        I channel = job % groups * of.lanes + threadIdx.x % of.lanes, split = job / groups;
        I start = of.first(split) + threadIdx.x / of.lanes, last = of.first(split + 1);
        Moments<A> own = {A(0), A(0), A(0)};
        if (channel < of.channels && start < last) {
            own.count = A((last - start - 1) / each + 1);
            for (I row = start; row < last; row += each) own.mean += (A)x[of.at(row, channel)];
            own.mean /= own.count;
            for (I row = start; row < last; row += each) {
                A v = (A)x[of.at(row, channel)] - own.mean;
                own.squares += v * v;
            }
        }
        own = channel_combine(own, shared, of.lanes, together<A>);
        if (threadIdx.x < of.lanes && channel < of.channels) {
            moments[2 * split * of.channels + channel] = own.mean;
            moments[(2 * split + 1) * of.channels + channel] = own.squares;
        }
    }
}

// y = (x - mean) / sqrt(variance + epsilon) scale + offset. statistics[0] = mean, [1] = variance,
// which the update is given. offset and scale may be null.
template <typename T, typename A, typename G, typename I>
__global__ void batch_normalize(T* y, A* statistics, const A* moments, const T* x, const G* offset,
                                const G* scale, Channels<I> of, double epsilon, Update update) {
    __shared__ Moments<A> shared[256];
    I groups = of.jobs() / of.splits, each = blockDim.x / of.lanes;
    for (I job = blockIdx.x; job < of.jobs(); job += gridDim.x) {
        I channel = job % groups * of.lanes + threadIdx.x % of.lanes, split = job / groups;
        Moments<A> all = {A(0), A(0), A(0)};
        if (channel < of.channels)
            for (I s = threadIdx.x / of.lanes; s < of.splits; s += each)
                all = together(all, {A(of.first(s + 1) - of.first(s)),
                                     moments[2 * s * of.channels + channel],
                                     moments[(2 * s + 1) * of.channels + channel]});
        all = channel_combine(all, shared, of.lanes, together<A>);
        if (channel >= of.channels) continue;
        A variance = of.rows ? all.squares / A(of.rows) : A(0);
        A factor = A(1) / sqrt(variance + A(epsilon)), shift = offset ? (A)offset[channel] : A(0);
        if (scale) factor *= (A)scale[channel];
        for (I row = of.first(split) + threadIdx.x / of.lanes; row < of.first(split + 1); row += each) {
            I i = of.at(row, channel);
            y[i] = (T)(((A)x[i] - all.mean) * factor + shift);
        }
        if (split == 0 && threadIdx.x < of.lanes) {
            statistics[channel] = all.mean;
            statistics[of.channels + channel] = variance;
            if (of.rows) update(channel, all.mean, variance);
        }
    }
}

// y = x factor + offset - mean factor, factor = scale / sqrt(variance + epsilon), by given statistics, of
// which statistics keeps a copy for the gradient. offset and scale may be null.
template <typename T, typename A, typename I>
__global__ void batch_scale(T* y, A* statistics, const T* x, const T* mean, const T* variance,
                            const T* offset, const T* scale, Channels<I> of, double epsilon) {
    const I stride = (I)gridDim.x * blockDim.x, n = of.rows * of.channels;
    for (I i = (I)blockIdx.x * blockDim.x + threadIdx.x; i < n || i < of.channels; i += stride) {
        if (i < of.channels) {
            statistics[i] = (A)mean[i];
            statistics[of.channels + i] = (A)variance[i];
        }
        if (i >= n) continue;
        const I channel = i / of.after % of.channels;
        A factor = A(1) / sqrt((A)variance[channel] + A(epsilon));
        if (scale) factor *= (A)scale[channel];
        const A shift = -(A)mean[channel] * factor;
        y[i] = (T)((A)x[i] * factor + (offset ? shift + (A)offset[channel] : shift));
    }
}

// dx = dy factor
template <typename T, typename A, typename I>
__global__ void batch_scale_back(T* dx, const T* dy, const A* statistics, const T* scale,
                                 Channels<I> of, double epsilon) {
    const I stride = (I)gridDim.x * blockDim.x, n = of.rows * of.channels;
    for (I i = (I)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        const I channel = i / of.after % of.channels;
        A factor = A(1) / sqrt(statistics[of.channels + channel] + A(epsilon));
        if (scale) factor *= (A)scale[channel];
        dx[i] = (T)((A)dy[i] * factor);
    }
}

template <typename A>
struct Sums {
    A plain, along;
};

template <typename A>
__device__ Sums<A> added(Sums<A> a, Sums<A> b) {
    return {a.plain + b.plain, a.along + b.along};
}

// sums[split][0][channel] = sum of dy, [1] = sum of dy (x - mean)
template <typename T, typename A, typename I>
__global__ void batch_sums(A* sums, const T* dy, const T* x, const A* statistics, Channels<I> of) {
    __shared__ Sums<A> shared[256];
    I groups = of.jobs() / of.splits, each = blockDim.x / of.lanes;
    for (I job = blockIdx.x; job < of.jobs(); job += gridDim.x) {
        I channel = job % groups * of.lanes + threadIdx.x % of.lanes, split = job / groups;
        Sums<A> own = {A(0), A(0)};
        if (channel < of.channels) {
            A mean = statistics[channel];
            for (I row = of.first(split) + threadIdx.x / of.lanes; row < of.first(split + 1);
                 row += each) {
                I i = of.at(row, channel);
                A d = (A)dy[i];
                own = added(own, {d, d * ((A)x[i] - mean)});
            }
        }
        own = channel_combine(own, shared, of.lanes, added<A>);
        if (threadIdx.x < of.lanes && channel < of.channels) {
            sums[2 * split * of.channels + channel] = own.plain;
            sums[(2 * split + 1) * of.channels + channel] = own.along;
        }
    }
}

// dx = scale / s (dy - mean(dy) - z mean(dy z)), s = sqrt(variance + epsilon), z = (x - mean) / s, unless
// dx is null; doffset and dscale likewise.
template <typename T, typename A, typename G, typename I>
__global__ void batch_gradient(T* dx, G* doffset, G* dscale, const A* sums, const T* dy, const T* x,
                               const A* statistics, const G* scale, Channels<I> of,
                               double epsilon) {
    __shared__ Sums<A> shared[256];
    I groups = of.jobs() / of.splits, each = blockDim.x / of.lanes;
    for (I job = blockIdx.x; job < of.jobs(); job += gridDim.x) {
        I channel = job % groups * of.lanes + threadIdx.x % of.lanes, split = job / groups;
        Sums<A> all = {A(0), A(0)};
        if (channel < of.channels)
            for (I s = threadIdx.x / of.lanes; s < of.splits; s += each)
                all = added(all, {sums[2 * s * of.channels + channel],
                                  sums[(2 * s + 1) * of.channels + channel]});
        all = channel_combine(all, shared, of.lanes, added<A>);
        if (channel >= of.channels) continue;
        A mean = statistics[channel];
        A inv = A(1) / sqrt(statistics[of.channels + channel] + A(epsilon));
        if (split == 0 && threadIdx.x < of.lanes) {
            if (doffset) doffset[channel] = (G)all.plain;
            if (dscale) dscale[channel] = (G)(all.along * inv);
        }
        A shift = all.plain / A(of.rows), slope = all.along / A(of.rows) * inv * inv;
        A factor = scale ? inv * (A)scale[channel] : inv;
        I last = dx ? of.first(split + 1) : 0;
        for (I row = of.first(split) + threadIdx.x / of.lanes; row < last; row += each) {
            I i = of.at(row, channel);
            dx[i] = (T)(((A)dy[i] - shift - ((A)x[i] - mean) * slope) * factor);
        }
    }
}
