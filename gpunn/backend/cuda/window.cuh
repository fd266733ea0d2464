// A window that slides over one to three spatial axes, the first ones 1 where there are fewer. I: a
// type that counts all elements.
template <typename I>
struct Window {
    I size[3], taps[3], strides[3], dilation[3], before[3], out[3];
};
