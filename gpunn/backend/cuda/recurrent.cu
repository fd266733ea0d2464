// Steps of recurrent layers over all units and rows of a batch. Gates lie one after the other, each
// n = units * batch values; those of an LSTM in the order i, f, o, g.

// sigmoid(2 z): the sums of sigmoids come halved
template <typename T>
__device__ T sigmoid_of_half(T z) {
    return tanh(z) * T(0.5) + T(0.5);
}

template <typename T>
__global__ void lstm_step(T* gate, const T* product, const T* c, T* c_next, T* tanh_c, T* h_next,
                          long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < n; e += stride) {
        T i = sigmoid_of_half(gate[e] + product[e]);
        T f = sigmoid_of_half(gate[n + e] + product[n + e]);
        T o = sigmoid_of_half(gate[2 * n + e] + product[2 * n + e]);
        T g = tanh(gate[3 * n + e] + product[3 * n + e]);
        T next = f * c[e] + i * g, t = tanh(next);
        gate[e] = i;
        gate[n + e] = f;
        gate[2 * n + e] = o;
        gate[3 * n + e] = g;
        c_next[e] = next;
        tanh_c[e] = t;
        h_next[e] = o * t;
    }
}

// dz, the gradient of the gates' sums; dc becomes that of the step before
template <typename T>
__global__ void lstm_step_back(const T* gate, const T* tanh_c, const T* c, const T* dh, T* dc, T* dz,
                               long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < n; e += stride) {
        T i = gate[e], f = gate[n + e], o = gate[2 * n + e], g = gate[3 * n + e];
        T t = tanh_c[e], dy = dh[e];
        T d = dc[e] + (T(1) - t * t) * o * dy;
        dz[e] = d * g * (i - i * i);
        dz[n + e] = d * c[e] * (f - f * f);
        dz[2 * n + e] = dy * t * (o - o * o);
        dz[3 * n + e] = d * i * (T(1) - g * g);
        dc[e] = d * f;
    }
}
