// Max pooling of arrays (batch, a, b, c, channels): one to three spatial axes, the first ones 1.

struct Window {
    long long size[3], taps[3], strides[3], before[3], out[3];
};

// y = the largest value of each window (NaN wins), chosen = the number of its tap (-1: NaN)
template <typename T, typename A>
__global__ void max_pool(T* y, int* chosen, const T* x, Window w, long long channels, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        long long channel = t % channels, at = t / channels, place[3];
        for (int d = 2; d >= 0; --d) {
            place[d] = at % w.out[d] * w.strides[d] - w.before[d];
            at /= w.out[d];
        }
        A best = A(0);
        int tap = 0, found = -2;
        for (long long i = 0; i < w.taps[0]; ++i)
            for (long long j = 0; j < w.taps[1]; ++j)
                for (long long k = 0; k < w.taps[2]; ++k, ++tap) {
                    long long a = place[0] + i, b = place[1] + j, c = place[2] + k;
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
        chosen[t] = found;
    }
}

// dx = the sum of dy over the windows that chose the value
template <typename T, typename A>
__global__ void max_pool_back(T* dx, const T* dy, const int* chosen, Window w, long long channels,
                              long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        long long channel = t % channels, at = t / channels, place[3], first[3], last[3];
        for (int d = 2; d >= 0; --d) {
            place[d] = at % w.size[d] + w.before[d];
            at /= w.size[d];
            // windows that reach here: those that start in (place - taps, place]
            long long low = place[d] - w.taps[d] + 1;
            first[d] = low <= 0 ? 0 : (low + w.strides[d] - 1) / w.strides[d];
            last[d] = place[d] / w.strides[d];
            if (last[d] >= w.out[d]) last[d] = w.out[d] - 1;
        }
        A sum = A(0);
        for (long long i = first[0]; i <= last[0]; ++i)
            for (long long j = first[1]; j <= last[1]; ++j)
                for (long long k = first[2]; k <= last[2]; ++k) {
                    long long tap = ((place[0] - i * w.strides[0]) * w.taps[1] + place[1] -
                                     j * w.strides[1]) * w.taps[2] + place[2] - k * w.strides[2];
                    long long from = (((at * w.out[0] + i) * w.out[1] + j) * w.out[2] + k) * channels +
                                     channel;
                    if (chosen[from] == tap) sum += (A)dy[from];
                }
        dx[t] = (T)sum;
    }
}
