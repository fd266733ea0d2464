// Optimizers' rules over a whole buffer, each in one pass.

// m += rest_1 (g - m); v += rest_2 (g g - v); p -= alpha m / (sqrt(v) + epsilon); with `amsgrad` the
// largest v so far, v_hat, in place of v.
template <typename T>
__global__ void adam(T* p, const T* g, T* m, T* v, T* v_hat, int amsgrad, double alpha, double rest_1,
                     double rest_2, double epsilon, long long n) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        T gi = g[i], mi = m[i], vi = v[i];
        mi += T(rest_1) * (gi - mi);
        vi += T(rest_2) * (gi * gi - vi);
        m[i] = mi;
        v[i] = vi;
        if (amsgrad) {
            T largest = v_hat[i];
            vi = largest > vi || largest != largest ? largest : vi;
            v_hat[i] = vi;
        }
        p[i] = p[i] - T(alpha) * (mi / (sqrt(vi) + T(epsilon)));
    }
}
