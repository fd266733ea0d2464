// Pooling of arrays (batch, a, b, c, channels). T: the values, A: what is computed in, C: counts the
// taps of a window, I: counts elements. A window's taps lie beside each other.

// From where to where something goes along each axis.
template <typename I>
struct Box {
    I first[3], last[3];

    // The values that a window sees from a place: it hangs over the edges where there is padding.
    __device__ static Box seen(const Window<I>& w, const I* place) {
        Box box;
#pragma unroll
        for (int d = 0; d < 3; ++d) {
            I start = place[d] * w.strides[d] - w.before[d];
            box.first[d] = start < 0 ? 0 : start;
            box.last[d] = min(start + w.taps[d], w.size[d]);
        }
        return box;
    }
    // The places that see a value: windows that start in (value - taps, value].
    __device__ static Box seeing(const Window<I>& w, const I* value) {
        Box box;
#pragma unroll
        for (int d = 0; d < 3; ++d) {
            I last = value[d] + w.before[d], first = last - w.taps[d] + 1;
            box.first[d] = first <= 0 ? 0 : (first + w.strides[d] - 1) / w.strides[d];
            box.last[d] = min(last / w.strides[d] + 1, w.out[d]);
        }
        return box;
    }
    __device__ I count() const {
        return (last[0] - first[0]) * (last[1] - first[1]) * (last[2] - first[2]);
    }
    // Calls use(i, j, k) for all in it, in their order.
    template <typename Use>
    __device__ void each(Use use) const {
        for (I i = first[0]; i < last[0]; ++i)
            for (I j = first[1]; j < last[1]; ++j)
                for (I k = first[2]; k < last[2]; ++k) use(i, j, k);
    }
};

// y = the largest value of each window (NaN wins), chosen = the number of its tap (C(-1): NaN)
template <typename T, typename A, typename C, typename I>
__global__ void max_pool(T* y, C* chosen, const T* x, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> e(t, w.out, channels);
        A best = A(0);
        int found = -2;
        Box<I>::seen(w, e.at).each([&](I i, I j, I k) {
            A v = (A)x[(((e.image * w.size[0] + i) * w.size[1] + j) * w.size[2] + k) * channels +
                       e.channel];
            if (found == -1 || !(found == -2 || v > best || v != v)) return;
            I a = i + w.before[0] - e.at[0] * w.strides[0], b = j + w.before[1] - e.at[1] * w.strides[1];
            I c = k + w.before[2] - e.at[2] * w.strides[2];
            found = v != v ? -1 : (int)((a * w.taps[1] + b) * w.taps[2] + c);
            best = v;
        });
        y[t] = (T)best;
        chosen[t] = (C)found;
    }
}

// dx = the sum of dy over the windows that chose the value
template <typename T, typename A, typename C, typename I>
__global__ void max_pool_back(T* dx, const T* dy, const C* chosen, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> e(t, w.size, channels);
        A sum = A(0);
        Box<I>::seeing(w, e.at).each([&](I i, I j, I k) {
            I a = e.at[0] + w.before[0] - i * w.strides[0], b = e.at[1] + w.before[1] - j * w.strides[1];
            I c = e.at[2] + w.before[2] - k * w.strides[2];
            I from = (((e.image * w.out[0] + i) * w.out[1] + j) * w.out[2] + k) * channels + e.channel;
            if (chosen[from] == (C)((a * w.taps[1] + b) * w.taps[2] + c)) sum += (A)dy[from];
        });
        dx[t] = (T)sum;
    }
}

// y = the sum of each window's values; with MEAN their mean, of which padding is no part.
template <typename T, typename A, typename I, bool MEAN>
__global__ void sum_pool(T* y, const T* x, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> e(t, w.out, channels);
        const Box<I> box = Box<I>::seen(w, e.at);
        A sum = A(0);
        box.each([&](I i, I j, I k) {
            sum += (A)x[(((e.image * w.size[0] + i) * w.size[1] + j) * w.size[2] + k) * channels +
                        e.channel];
        });
        y[t] = (T)(MEAN ? sum / A(box.count()) : sum);
    }
}

// dx = the sum of dy, or with MEAN of its share, over the windows that see the value
template <typename T, typename A, typename I, bool MEAN>
__global__ void sum_pool_back(T* dx, const T* dy, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> e(t, w.size, channels);
        A sum = A(0);
        Box<I>::seeing(w, e.at).each([&](I i, I j, I k) {
            const I place[3] = {i, j, k};
            A d = (A)dy[(((e.image * w.out[0] + i) * w.out[1] + j) * w.out[2] + k) * channels +
                        e.channel];
            sum += MEAN ? d / A(Box<I>::seen(w, place).count()) : d;
        });
        dx[t] = (T)sum;
    }
}

// y[b, o, r] = the sum over k < width of weights[o, k] x[b, starts[o] + k, r], for x of shape
// (before, size, after) and y of (before, out, after).
template <typename T, typename A, typename I>
__global__ void mix(T* y, const T* x, const A* weights, const int* starts, I width, I size, I out,
                    I after, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        I rest = t % after, o = t / after % out, from = (t / after / out * size + starts[o]) * after + rest;
        A sum = A(0);
        for (I k = 0; k < width; ++k) sum = fma(weights[o * width + k], (A)x[from + k * after], sum);
        y[t] = (T)sum;
    }
}
