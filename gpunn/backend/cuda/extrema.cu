// dx = dy, in equal parts, where x is the extreme value y of its column, for x of shape (before, n,
// after). A thread has a column. T: the values, A: what is computed in, I: counts elements.
template <typename T, typename A, typename I>
__global__ void extreme_back(T* dx, const T* dy, const T* y, const T* x, I columns, I n, I after) {
    const I stride = (I)gridDim.x * blockDim.x;
    for (I t = (I)blockIdx.x * blockDim.x + threadIdx.x; t < columns; t += stride) {
        const I first = t / after * n * after + t % after, behind = first + n * after;
        const A extreme = (A)y[t];
        A count = A(0);
        for (I i = first; i < behind; i += after) count += A((A)x[i] == extreme);
        const A share = (A)dy[t] / (count > A(1) ? count : A(1));
        for (I i = first; i < behind; i += after) dx[i] = (T)(A((A)x[i] == extreme) * share);
    }
}
