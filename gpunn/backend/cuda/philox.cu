// Random numbers of philox.cuh as arrays.

extern "C" __global__ void random_uint32(unsigned int* out, long long n,
                                         const unsigned long long* start, unsigned long long draw,
                                         unsigned long long key0, unsigned long long key1) {
    each_uint32(n, start, draw, key0, key1, [=](long long i, unsigned int bits) { out[i] = bits; });
}

// n floats in [0, 1) of 24 bits each, from the same bits as random_uint32.
extern "C" __global__ void uniform_float32(float* out, long long n, const unsigned long long* start,
                                           unsigned long long draw, unsigned long long key0,
                                           unsigned long long key1) {
    each_uint32(n, start, draw, key0, key1, [=](long long i, unsigned int bits) {
        out[i] = (bits >> 8) * 5.9604644775390625e-08f;
    });
}

// `scale` where the bits are at least `threshold`, else 0: what dropout multiplies by.
template <typename T>
__global__ void kept(T* out, long long n, const unsigned long long* start, unsigned long long draw,
                     unsigned long long key0, unsigned long long key1, unsigned int threshold,
                     double scale) {
    each_uint32(n, start, draw, key0, key1, [=](long long i, unsigned int bits) {
        out[i] = bits >= threshold ? T(scale) : T(0.0);
    });
}

// The same times x.
template <typename T, typename A>
__global__ void dropped(T* y, const T* x, long long n, const unsigned long long* start,
                        unsigned long long draw, unsigned long long key0, unsigned long long key1,
                        unsigned int threshold, double scale) {
    const unsigned long long position = draw + (start ? *start : 0);
    const long long stride = (long long)gridDim.x * blockDim.x;
    const bool whole = packable<8>(x) && packable<8>(y);
    const A factor = (A)T(scale);
    for (long long b = (long long)blockIdx.x * blockDim.x + threadIdx.x; b * 8 < n; b += stride) {
        const Block bits = philox(b, position, key0, key1);
        change_pack<8>(y, x, b * 8, n, whole, [=](long long i, T value) {
            return (T)((A)value * (bits.at(i % 8) >= threshold ? factor : A(0)));
        });
    }
}

// n doubles in [0, 1) of 53 bits each.
extern "C" __global__ void uniform_float64(double* out, long long n, const unsigned long long* start,
                                           unsigned long long draw, unsigned long long key0,
                                           unsigned long long key1) {
    unsigned long long position = draw + (start ? *start : 0);
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long b = (long long)blockIdx.x * blockDim.x + threadIdx.x; b * 4 < n; b += stride) {
        Block bits = philox(b, position, key0, key1);
        for (int i = 0; i < 4 && b * 4 + i < n; ++i)
            out[b * 4 + i] = (bits.word[i] >> 11) * 1.1102230246251565e-16;
    }
}
