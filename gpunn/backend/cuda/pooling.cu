// Max pooling of arrays (batch, a, b, c, channels). T: the values, A: what is computed in, C: counts
// the taps of a window, I: counts elements.

// y = the largest value of each window (NaN wins), chosen = the number of its tap (C(-1): NaN)
template <typename T, typename A, typename C, typename I>
__global__ void max_pool(T* y, C* chosen, const T* x, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        I channel = t % channels, at = t / channels, place[3];
        for (int d = 2; d >= 0; --d) {
            place[d] = at % w.out[d] * w.strides[d] - w.before[d];
            at /= w.out[d];
        }
        A best = A(0);
        int tap = 0, found = -2;
        for (I i = 0; i < w.taps[0]; ++i)
            for (I j = 0; j < w.taps[1]; ++j)
                for (I k = 0; k < w.taps[2]; ++k, ++tap) {
                    I a = place[0] + i, b = place[1] + j, c = place[2] + k;
                    if (a < 0 || a >= w.size[0] || b < 0 || b >= w.size[1] || c < 0 || c >= w.size[2])
                        continue;
                    A v = (A)x[(((at * w.size[0] + a) * w.size[1] + b) * w.size[2] + c) * channels +
                               channel];
                    if (found == -2 || v > best || v != v) {
                        if (found == -1) continue;  // it is NaN already
                        best = v;
                        found = v != v ? -1 : tap;
                    }
                }
        y[t] = (T)best;
        chosen[t] = (C)found;
    }
}

// dx = the sum of dy over the windows that chose the value
template <typename T, typename A, typename C, typename I>
__global__ void max_pool_back(T* dx, const T* dy, const C* chosen, Window<I> w, I channels, I n) {
    I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        I channel = t % channels, at = t / channels, place[3], first[3], last[3];
        for (int d = 2; d >= 0; --d) {
            place[d] = at % w.size[d] + w.before[d];
            at /= w.size[d];
            // windows that reach here: those that start in (place - taps, place]
            I low = place[d] - w.taps[d] + 1;
            first[d] = low <= 0 ? 0 : (low + w.strides[d] - 1) / w.strides[d];
            last[d] = place[d] / w.strides[d];
            if (last[d] >= w.out[d]) last[d] = w.out[d] - 1;
        }
        A sum = A(0);
        for (I i = first[0]; i <= last[0]; ++i)
            for (I j = first[1]; j <= last[1]; ++j)
                for (I k = first[2]; k <= last[2]; ++k) {
                    I tap = ((place[0] - i * w.strides[0]) * w.taps[1] + place[1] -
                                     j * w.strides[1]) * w.taps[2] + place[2] - k * w.strides[2];
                    I from = (((at * w.out[0] + i) * w.out[1] + j) * w.out[2] + k) * channels +
                                     channel;
                    if (chosen[from] == (C)tap) sum += (A)dy[from];
                }
        dx[t] = (T)sum;
    }
}
