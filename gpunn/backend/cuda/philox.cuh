// Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), the bits of
// numpy.random.Philox. Block b of the draw at a position has the counter (b + 1, 0, position, 0).
// The position is `draw`, counted from the number at `start` if there is one.

struct Block {
    unsigned long long word[4];

    // One of its 32-bit integers: the low half of each word first, as NumPy's view on a little-endian
    // host. By choices: an index that is not known to the compiler would put the words in memory.
    __device__ unsigned int at(int i) const {
        const unsigned long long chosen =
            i < 4 ? (i < 2 ? word[0] : word[1]) : (i < 6 ? word[2] : word[3]);
        return (unsigned int)(i % 2 ? chosen >> 32 : chosen);
    }
};

__device__ Block philox(unsigned long long block, unsigned long long position,
                        unsigned long long key0, unsigned long long key1) {
    const unsigned long long m0 = 0xD2E7470EE14C6C93ULL, m1 = 0xCA5A826395121157ULL;
    unsigned long long c0 = block + 1, c1 = 0, c2 = position, c3 = 0;
    for (int round = 0; round < 10; ++round) {
        unsigned long long high0 = __umul64hi(m0, c0), low0 = m0 * c0;
        unsigned long long high1 = __umul64hi(m1, c2), low1 = m1 * c2;
        c0 = high1 ^ c1 ^ key0;
        c1 = low1;
        c2 = high0 ^ c3 ^ key1;
        c3 = low0;
        key0 += 0x9E3779B97F4A7C15ULL;
        key1 += 0xBB67AE8584CAA73BULL;
    }
    Block out = {{c0, c1, c2, c3}};
    return out;
}

// Calls use(i, bits) for each of n 32-bit integers.
template <typename Use>
__device__ void each_uint32(long long n, const unsigned long long* start, unsigned long long draw,
                            unsigned long long key0, unsigned long long key1, Use use) {
    unsigned long long position = draw + (start ? *start : 0);
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long b = (long long)blockIdx.x * blockDim.x + threadIdx.x; b * 8 < n; b += stride) {
        Block bits = philox(b, position, key0, key1);
        for (int i = 0; i < 8 && b * 8 + i < n; ++i) use(b * 8 + i, bits.at(i));
    }
}

