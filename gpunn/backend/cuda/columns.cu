// The values that a convolution's window sees, as the rows of a matrix (im2col), and back (col2im): for
// each place, group and tap lie the channels of the group. T: the values, A: what is summed in, I:
// counts elements, N: how many channels are moved at once.

// columns[place][group][tap][channel] = what the tap sees, 0 for padding; n packs in all
template <typename T, typename I, int N>
__global__ void to_columns(T* columns, const T* x, Window<I> w, I groups, I channels, I n) {
    const I stride = (I)gridDim.x * blockDim.x, packs = channels / N;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        I rest = t / packs, tap[3], at[3];
#pragma unroll
        for (int d = 2; d >= 0; --d) {
            tap[d] = rest % w.taps[d];
            rest /= w.taps[d];
        }
        const I group = rest % groups;
        rest /= groups;
        bool inside = true;
#pragma unroll
        for (int d = 2; d >= 0; --d) {
            at[d] = rest % w.out[d] * w.strides[d] + tap[d] * w.dilation[d] - w.before[d];
            rest /= w.out[d];
            inside = inside && at[d] >= 0 && at[d] < w.size[d];
        }
        const I from = ((rest * w.size[0] + at[0]) * w.size[1] + at[1]) * w.size[2] + at[2];
        Pack<T, N> values;
#pragma unroll
        for (int i = 0; i < N; ++i) values.at[i] = T(0.0f);
        if (inside)
            values = ((const Pack<T, N>*)x)[(from * groups + group) * packs + t % packs];
        ((Pack<T, N>*)columns)[t] = values;
    }
}

// y[value][channel] = sum of what the taps that see the value have in the columns, in the order of the
// taps; n packs in all. `channels` are those of a group.
template <typename T, typename A, typename I, int N>
__global__ void from_columns(T* y, const A* columns, Window<I> w, I groups, I channels, I n) {
    const I stride = (I)gridDim.x * blockDim.x, packs = channels / N;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < n; t += stride) {
        const I pack = t % packs, group = t / packs % groups;
        I rest = t / packs / groups, value[3];
#pragma unroll
        for (int d = 2; d >= 0; --d) {
            value[d] = rest % w.size[d] + w.before[d];
            rest /= w.size[d];
        }
        A sum[N] = {};
        for (I i = 0; i < w.taps[0]; ++i) {
            const I a = value[0] - i * w.dilation[0];
            if (a < 0 || a % w.strides[0] || a / w.strides[0] >= w.out[0]) continue;
            for (I j = 0; j < w.taps[1]; ++j) {
                const I b = value[1] - j * w.dilation[1];
                if (b < 0 || b % w.strides[1] || b / w.strides[1] >= w.out[1]) continue;
                for (I k = 0; k < w.taps[2]; ++k) {
                    const I c = value[2] - k * w.dilation[2];
                    if (c < 0 || c % w.strides[2] || c / w.strides[2] >= w.out[2]) continue;
                    const I place = ((rest * w.out[0] + a / w.strides[0]) * w.out[1] +
                                     b / w.strides[1]) * w.out[2] + c / w.strides[2];
                    const I at = (place * groups + group) * w.taps[0] * w.taps[1] * w.taps[2] +
                                 (i * w.taps[1] + j) * w.taps[2] + k;
                    const Pack<A, N> found = ((const Pack<A, N>*)columns)[at * packs + pack];
#pragma unroll
                    for (int e = 0; e < N; ++e) sum[e] += found.at[e];
                }
            }
        }
        Pack<T, N> result;
#pragma unroll
        for (int e = 0; e < N; ++e) result.at[e] = (T)sum[e];
        ((Pack<T, N>*)y)[t] = result;
    }
}
