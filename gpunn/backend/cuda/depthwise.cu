// Convolution of each channel by itself, with `each` filters of its own; `filters` are those of all
// channels, side by side. T: the values, A: what is summed in, I: counts elements.

// Calls use(tap, at) for the taps that see a value from a place, `at` being where it lies among the
// values of its channel.
template <typename I, typename Use>
__device__ void each_seen(const Window<I>& w, const Element<I>& place, Use use) {
    I a = place.at[0] * w.strides[0] - w.before[0], tap = 0;
    for (I i = 0; i < w.taps[0]; ++i, a += w.dilation[0]) {
        I b = place.at[1] * w.strides[1] - w.before[1];
        for (I j = 0; j < w.taps[1]; ++j, b += w.dilation[1]) {
            I c = place.at[2] * w.strides[2] - w.before[2];
            for (I k = 0; k < w.taps[2]; ++k, ++tap, c += w.dilation[2])
                if (a >= 0 && a < w.size[0] && b >= 0 && b < w.size[1] && c >= 0 && c < w.size[2])
                    use(tap, ((place.image * w.size[0] + a) * w.size[1] + b) * w.size[2] + c);
        }
    }
}

// The place along an axis from which a tap sees a value; -1 if there is none.
template <typename I>
__device__ I seen_from(const Window<I>& w, int d, I value, I tap) {
    I along = value + w.before[d] - tap * w.dilation[d];
    if (along < 0 || along % w.strides[d]) return -1;
    along /= w.strides[d];
    return along < w.out[d] ? along : -1;
}

// y[place][filter] = bias[filter] + sum over taps of what they see of the channel, times w[tap][filter]
template <typename T, typename A, typename I>
__global__ void depthwise(T* y, const T* x, const T* w, const T* bias, Window<I> window, I filters,
                          I each, I n) {
    I stride = (I)gridDim.x * blockDim.x, channels = filters / each;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> place(t, window.out, filters);
        A sum = bias ? (A)bias[place.channel] : A(0);
        each_seen(window, place, [&](I tap, I at) {
            sum = fma((A)x[at * channels + place.channel / each], (A)w[tap * filters + place.channel],
                      sum);
        });
        y[t] = (T)sum;
    }
}

// dx[value][channel] = sum over taps and the channel's filters of dy where they see it from, times w
template <typename T, typename A, typename I>
__global__ void depthwise_back(T* dx, const T* dy, const T* w, Window<I> window, I filters, I each,
                               I n) {
    I stride = (I)gridDim.x * blockDim.x, channels = filters / each;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const Element<I> value(t, window.size, channels);
        A sum = A(0);
        for (I i = 0; i < window.taps[0]; ++i) {
            I a = seen_from(window, 0, value.at[0], i);
            for (I j = 0; a >= 0 && j < window.taps[1]; ++j) {
                I b = seen_from(window, 1, value.at[1], j);
                for (I k = 0; b >= 0 && k < window.taps[2]; ++k) {
                    I c = seen_from(window, 2, value.at[2], k);
                    if (c < 0) continue;
                    I from = ((value.image * window.out[0] + a) * window.out[1] + b) * window.out[2] + c;
                    I tap = (i * window.taps[1] + j) * window.taps[2] + k, first = value.channel * each;
                    for (I m = first; m < first + each; ++m)
                        sum = fma((A)dy[from * filters + m], (A)w[tap * filters + m], sum);
                }
            }
        }
        dx[t] = (T)sum;
    }
}

// dw[split][tap][filter] = sum over a split of the places of what the tap sees, times dy. As if one more
// tap saw 1 everywhere, its row is the gradient of the bias; it goes to db, unless that is null. A block
// takes 32 filters of a tap.
template <typename T, typename A, typename S, typename I>
__global__ void depthwise_weights(S* dw, S* db, const T* x, const T* dy, Window<I> window, I filters,
                                  I each, I places, I splits) {
    __shared__ A shared[8][32];
    const int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    const I taps = window.taps[0] * window.taps[1] * window.taps[2], broad = (filters + 31) / 32;
    const I channels = filters / each, share = (places + splits - 1) / splits;
    for (I job = blockIdx.x; job < broad * (taps + 1) * splits; job += gridDim.x) {
        const I filter = job % broad * 32 + lane, tap = job / broad % (taps + 1);
        const I split = job / broad / (taps + 1), last = min((split + 1) * share, places);
        const I k = tap % window.taps[2], j = tap / window.taps[2] % window.taps[1];
        const I i = tap / window.taps[2] / window.taps[1];
        A sum = A(0);
        for (I p = split * share + part; filter < filters && p < last; p += 8) {
            const Element<I> place(p, window.out, I(1));
            const I a = place.at[0] * window.strides[0] + i * window.dilation[0] - window.before[0];
            const I b = place.at[1] * window.strides[1] + j * window.dilation[1] - window.before[1];
            const I c = place.at[2] * window.strides[2] + k * window.dilation[2] - window.before[2];
            const bool inside = a >= 0 && a < window.size[0] && b >= 0 && b < window.size[1] && c >= 0 &&
                                c < window.size[2];
            const A d = (A)dy[p * filters + filter];
            const I at = ((place.image * window.size[0] + a) * window.size[1] + b) * window.size[2] + c;
            if (tap == taps) sum += d;
            else if (inside) sum = fma((A)x[at * channels + filter / each], d, sum);
        }
        shared[part][lane] = sum;
        __syncthreads();
        if (part == 0 && filter < filters) {
            for (int p = 1; p < 8; ++p) sum += shared[p][lane];
            S* to = db && tap == taps ? db : dw + (split * (taps + 1) + tap) * filters;
            to[filter] = (S)sum;
        }
        __syncthreads();
    }
}
