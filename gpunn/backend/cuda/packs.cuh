// Values that lie beside each other, moved at once: 16 bytes an instruction at most.

template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T at[N];

    __device__ static const Pack& of(const T* x) { return *(const Pack*)x; }
    __device__ static Pack& of(T* x) { return *(Pack*)x; }
};

// Whether packs of N values may start where some array does.
template <int N, typename T>
__device__ bool packable(const T* x) {
    return (unsigned long long)x % alignof(Pack<T, N>) == 0;
}

// y[i] = change(i, x[i]) for N values from `first` on, as far as there are n: at once if `whole`, which
// takes that both are packable and `first` is a multiple of N.
template <int N, typename T, typename I, typename Change>
__device__ void change_pack(T* y, const T* x, I first, I n, bool whole, Change change) {
    if (whole && n - first >= N) {
        Pack<T, N> values = *(const Pack<T, N>*)(x + first);
#pragma unroll
        for (int i = 0; i < N; ++i) values.at[i] = change(first + i, values.at[i]);
        *(Pack<T, N>*)(y + first) = values;
        return;
    }
    for (I i = first; i < n && i < first + N; ++i) y[i] = change(i, x[i]);
}

