// Images moved by affine transforms: each thread finds one value of the result.

enum Mode { CONSTANT, NEAREST, WRAP, MIRROR, REFLECT };

__device__ long long modulo(long long i, long long n) {
    long long rest = i % n;
    return rest < 0 ? rest + n : rest;
}

// The index of a whole place along an axis of n values, or -1 where there is none.
template <typename P>
__device__ long long place(P whole, long long n, int mode) {
    long long i = (long long)whole;
    if (mode == CONSTANT) return i >= 0 && i < n ? i : -1;
    if (mode == NEAREST) return i < 0 ? 0 : i < n ? i : n - 1;
    if (mode == WRAP) return modulo(i, n);
    if (mode == MIRROR) {
        if (n == 1) return 0;
        long long last = n - 1;
        return llabs(modulo(i + last, 2 * last) - last);
    }
    return (llabs(modulo(2 * i + 1 + 2 * n, 4 * n) - 2 * n) - 1) / 2;
}

template <typename P>
__device__ P nearest(P x) {
    P whole = trunc(x);
    return whole + trunc((x - whole) * P(2));
}

// T: pixels, P: transforms (one of 8 numbers for each image, or for all), A: what is computed in.
template <typename T, typename P, typename A>
__global__ void affine_pixels(T* y, const T* x, const P* transforms, long long images, long long rows,
                              long long columns, long long channels, int one_for_all, int linear,
                              int mode, double fill) {
    long long count = images * rows * columns * channels;
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        long long channel = i % channels, pixel = i / channels;
        P u = P(pixel % columns), v = P(pixel / columns % rows);
        long long image = pixel / columns / rows;
        const P* t = transforms + (one_for_all ? 0 : image * 8);
        P down = v * t[4] + u * t[3] + t[5], right = v * t[1] + u * t[0] + t[2];
        auto at = [&](P row, P column) {
            long long r = place(row, rows, mode), c = place(column, columns, mode);
            return r < 0 || c < 0 ? (A)fill
                                  : (A)x[((image * rows + r) * columns + c) * channels + channel];
        };
        if (!linear) {
            y[i] = (T)at(nearest(down), nearest(right));
            continue;
        }
        P row = floor(down), column = floor(right), high = down - row, far = right - column;
        P low = P(1) - high, near = P(1) - far;
        A sum = at(row, column) * A(low * near);
        sum += at(row, column + 1) * A(low * far);
        sum += at(row + 1, column) * A(high * near);
        sum += at(row + 1, column + 1) * A(high * far);
        y[i] = (T)sum;
    }
}
