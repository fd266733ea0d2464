// Activations' gradients in one pass.

// dx = y > 0 ? dy : 0, y being relu's result
template <typename T>
__global__ void relu_backward(T* dx, const T* y, const T* dy, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride)
        dx[i] = y[i] > T(0) ? dy[i] : T(0);
}
