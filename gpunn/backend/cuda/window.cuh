// A window that slides over one to three spatial axes, the first ones 1 where there are fewer. I: a
// type that counts all elements.
template <typename I>
struct Window {
    I size[3], taps[3], strides[3], dilation[3], before[3], out[3];
};

// An element of an array (batch, a, b, c, channels), by its number.
template <typename I>
struct Element {
    I image, at[3], channel;

    __device__ Element(I number, const I* size, I channels) {
        channel = number % channels;
        number /= channels;
#pragma unroll
        for (int d = 2; d >= 0; --d) {
            at[d] = number % size[d];
            number /= size[d];
        }
        image = number;
    }
};

