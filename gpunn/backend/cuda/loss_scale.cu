// A step by gradients of a scaled loss, decided on the device.
// `state`: [updates done, good steps in a row, steps skipped, whether a gradient is not finite].

// Says in *found whether a gradient is Inf or NaN. A: the type that Ts are computed in.
template <typename T, typename A>
__global__ void find_not_finite(long long* found, const T* gradient, long long count) {
    long long stride = (long long)gridDim.x * blockDim.x;
    bool bad = false;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride)
        bad |= !isfinite((A)gradient[i]);
    if (bad) atomicMax(found, 1LL);
}

// The scale that the gradients have, the numbers of the step that is due (row t % rows of the host's
// table), what is not done: all of it, or what the row's last two numbers say, the update and the
// overwriting by averages; and then the counts and the scale of the next step.
template <typename T>
__global__ void decide(long long* state, float* scale, float* used, bool* flags, T* numbers,
                       const double* table, long long rows, long long width, long long growth) {
    if (threadIdx.x || blockIdx.x) return;
    bool bad = state[3] != 0;
    *used = *scale;
    const double* row = table + (state[0] + 1) % rows * width;
    for (long long i = 0; i < width; ++i) numbers[i] = (T)row[i];
    flags[0] = bad;
    for (int i = 1; i < 3; ++i) flags[i] = bad || row[width - 3 + i] != 0;
    state[3] = 0;
    state[2] += bad;
    state[0] += !bad;
    state[1] = bad ? 0 : (state[1] + 1) % growth;
    if (bad) *scale *= 0.5f;
    else if (state[1] == 0) *scale *= 2.0f;
}
