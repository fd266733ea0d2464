// Steps of recurrent layers, a thread for each unit of each row of the batch. What belongs to a step
// lies in (batch, units), gates one after the other in each row; sequences that are given from
// outside are (batch, steps, units). Pointers may be null: states before the first step are 0 then.

// sigmoid(z) = tanh(z / 2) / 2 + 1 / 2
template <typename T>
__device__ T sigmoid(T z) {
    return tanh(z * T(0.5)) * T(0.5) + T(0.5);
}

struct Step {
    long long batch, units, steps, t;
};

// Calls use(i, gate, outer, is_masked) with the places of a unit: in a state, of its first gate among
// `gates`, and in sequences from outside.
template <typename T, typename Use>
__device__ void each_unit(Step at, int gates, const T* mask, Use use) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < at.batch * at.units;
         i += stride) {
        long long row = i / at.units, unit = i % at.units, step = row * at.steps + at.t;
        use(i, row * gates * at.units + unit, step * at.units + unit, mask && mask[step] == T(0));
    }
}

// Gates i, f, g, o; `gate` has the inputs' share, and then their values. y, c_next and h_next are the
// step's results, `product` is h kernel.
template <typename T>
__global__ void lstm_step(T* gate, T* c_next, T* h_next, T* y, const T* product, const T* bias,
                          const T* c, const T* h, const T* mask, Step at) {
    const long long n = at.units;
    each_unit(at, 4, mask, [=](long long e, long long first, long long outer, bool masked) {
        T z[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            z[k] = gate[first + k * n];
            if (product) z[k] += product[first + k * n];
            if (bias) z[k] += bias[e % n + k * n];
            gate[first + k * n] = z[k] = k == 2 ? tanh(z[k]) : sigmoid(z[k]);
        }
        T before = c ? c[e] : T(0), next = z[1] * before + z[0] * z[2];
        T out = z[3] * tanh(next);
        if (masked) {
            next = before;
            out = h ? h[e] : T(0);
        }
        c_next[e] = next;
        h_next[e] = out;
        if (y) y[outer] = out;
    });
}

// dz, the gradient of the gates' sums; dc_before that of the step before. `dh` is what came from the
// step after by its product, `passed` what went by a masked step: read if has_passed, then written.
template <typename T>
__global__ void lstm_step_back(T* dz, T* dc_before, T* passed, const T* gate, const T* c_next,
                               const T* c, const T* dy, const T* dh, const T* dc, const T* mask,
                               int has_passed, Step at) {
    const long long n = at.units;
    each_unit(at, 4, mask, [=](long long e, long long first, long long outer, bool masked) {
        T d = dh[e], i = gate[first], f = gate[first + n], g = gate[first + 2 * n];
        T o = gate[first + 3 * n], t = tanh(c_next[e]), of_c = dc[e];
        if (dy) d += dy[outer];
        if (has_passed) d += passed[e];
        if (passed) passed[e] = masked ? d : T(0);
        if (masked) {
            for (int k = 0; k < 4; ++k) dz[first + k * n] = T(0);
            dc_before[e] = of_c;
            return;
        }
        of_c += (T(1) - t * t) * o * d;
        dz[first] = of_c * g * (i - i * i);
        dz[first + n] = c ? of_c * c[e] * (f - f * f) : T(0);
        dz[first + 2 * n] = of_c * i * (T(1) - g * g);
        dz[first + 3 * n] = d * t * (o - o * o);
        dc_before[e] = of_c * f;
    });
}

// Gates z, r, g, of which r is put on h kernel + bias, which is kept in `inner`. bias is (2, 3 units).
template <typename T>
__global__ void gru_step(T* gate, T* inner, T* h_next, T* y, const T* product, const T* bias,
                         const T* h, const T* mask, Step at) {
    const long long n = at.units;
    each_unit(at, 3, mask, [=](long long e, long long first, long long outer, bool masked) {
        T sum[3], state[3];
#pragma unroll
        for (int k = 0; k < 3; ++k) {
            sum[k] = gate[first + k * n];
            state[k] = product ? product[first + k * n] : T(0);
            if (bias) {
                sum[k] += bias[e % n + k * n];
                state[k] += bias[e % n + (3 + k) * n];
            }
        }
        T z = sigmoid(sum[0] + state[0]), r = sigmoid(sum[1] + state[1]);
        T g = tanh(sum[2] + r * state[2]), before = h ? h[e] : T(0);
        gate[first] = z;
        gate[first + n] = r;
        gate[first + 2 * n] = g;
        inner[e] = state[2];
        T out = masked ? before : z * before + (T(1) - z) * g;
        h_next[e] = out;
        if (y) y[outer] = out;
    });
}

// d_inputs, the gradient of the inputs' share of the gates, and d_states, that of the states'.
// `passed` goes to the step before beside d_states' product, which comes as dh.
template <typename T>
__global__ void gru_step_back(T* d_inputs, T* d_states, T* passed, const T* gate, const T* inner,
                              const T* h, const T* dy, const T* dh, const T* mask, int has_passed,
                              Step at) {
    const long long n = at.units;
    each_unit(at, 3, mask, [=](long long e, long long first, long long outer, bool masked) {
        T d = dh[e], z = gate[first], r = gate[first + n], g = gate[first + 2 * n];
        if (dy) d += dy[outer];
        if (has_passed) d += passed[e];
        passed[e] = masked ? d : d * z;
        if (masked) d = T(0);
        T of_z = d * ((h ? h[e] : T(0)) - g) * (z - z * z), of_g = d * (T(1) - z) * (T(1) - g * g);
        T of_r = of_g * inner[e] * (r - r * r);
        d_inputs[first] = d_states[first] = of_z;
        d_inputs[first + n] = d_states[first + n] = of_r;
        d_inputs[first + 2 * n] = of_g;
        d_states[first + 2 * n] = of_g * r;
    });
}

// The gates z and r, and r h in `reset`, for a GRU whose candidate is made of that. bias is (3 units).
template <typename T>
__global__ void gru_reset(T* gate, T* reset, const T* product, const T* bias, const T* h, Step at) {
    const long long n = at.units;
    each_unit(at, 3, (const T*)nullptr, [=](long long e, long long first, long long, bool) {
        const long long row = e / n * 2 * n + e % n;  // product has these two gates
        T z[2];
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            z[k] = gate[first + k * n];
            if (product) z[k] += product[row + k * n];
            if (bias) z[k] += bias[e % n + k * n];
            gate[first + k * n] = z[k] = sigmoid(z[k]);
        }
        reset[e] = h ? z[1] * h[e] : T(0);
    });
}

// The candidate g, of which `product` is the share of r h, and the next state.
template <typename T>
__global__ void gru_candidate(T* gate, T* h_next, T* y, const T* product, const T* bias, const T* h,
                              const T* mask, Step at) {
    const long long n = at.units;
    each_unit(at, 3, mask, [=](long long e, long long first, long long outer, bool masked) {
        T g = gate[first + 2 * n], z = gate[first], before = h ? h[e] : T(0);
        if (product) g += product[e];
        if (bias) g += bias[e % n + 2 * n];
        gate[first + 2 * n] = g = tanh(g);
        T out = masked ? before : z * before + (T(1) - z) * g;
        h_next[e] = out;
        if (y) y[outer] = out;
    });
}

// d_inputs of z and g, and in `passed` what goes to the step before by z.
template <typename T>
__global__ void gru_candidate_back(T* d_inputs, T* passed, const T* gate, const T* h, const T* dy,
                                   const T* dh, const T* mask, int has_passed, Step at) {
    const long long n = at.units;
    each_unit(at, 3, mask, [=](long long e, long long first, long long outer, bool masked) {
        T d = dh[e], z = gate[first], g = gate[first + 2 * n];
        if (dy) d += dy[outer];
        if (has_passed) d += passed[e];
        passed[e] = masked ? d : d * z;
        if (masked) d = T(0);
        d_inputs[first] = d * ((h ? h[e] : T(0)) - g) * (z - z * z);
        d_inputs[first + 2 * n] = d * (T(1) - z) * (T(1) - g * g);
    });
}

// d_inputs of r, from the gradient of r h, and the share of `passed` that goes by it.
template <typename T>
__global__ void gru_reset_back(T* d_inputs, T* passed, const T* d_reset, const T* gate, const T* h,
                               Step at) {
    const long long n = at.units;
    each_unit(at, 3, (const T*)nullptr, [=](long long e, long long first, long long, bool) {
        T r = gate[first + n], d = d_reset[e];
        d_inputs[first + n] = h ? d * h[e] * (r - r * r) : T(0);
        passed[e] += d * r;
    });
}

// A step without gates: `gate` has the inputs' share, and then f(that + product + bias), which is
// max(0, z) or tanh(z).
template <typename T, bool RELU>
__global__ void rnn_step(T* gate, T* h_next, T* y, const T* product, const T* bias, const T* h,
                         const T* mask, Step at) {
    each_unit(at, 1, mask, [=](long long e, long long, long long outer, bool masked) {
        T z = gate[e];
        if (product) z += product[e];
        if (bias) z += bias[e % at.units];
        gate[e] = z = RELU ? (z < T(0) ? T(0) : z) : tanh(z);
        T out = masked ? (h ? h[e] : T(0)) : z;
        h_next[e] = out;
        if (y) y[outer] = out;
    });
}

// dz, the gradient of the sum; `passed` as of lstm_step_back.
template <typename T, bool RELU>
__global__ void rnn_step_back(T* dz, T* passed, const T* gate, const T* dy, const T* dh, const T* mask,
                              int has_passed, Step at) {
    each_unit(at, 1, mask, [=](long long e, long long, long long outer, bool masked) {
        T d = dh[e], value = gate[e];
        if (dy) d += dy[outer];
        if (has_passed) d += passed[e];
        if (passed) passed[e] = masked ? d : T(0);
        dz[e] = masked ? T(0) : d * (RELU ? T(value > T(0)) : T(1) - value * value);
    });
}
