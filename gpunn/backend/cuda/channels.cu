// Sums over all values of a channel, for arrays of shape (before, channels, after): batch
// normalization's. Made in type A; no atomics, so that they are always the same.

// Over a split of the rows (before * after values) of a channel, with v = x - centre (0 without one)
// and w = a (v without one): partial[split][0][channel] = sum(w), [1] = sum(w v). A block takes
// `lanes` channels, a power of two, beside each other.
template <typename T, typename A>
__global__ void channel_sums(A* partial, const T* a, const T* x, const A* centre, long long rows,
                             long long channels, long long after, long long lanes,
                             long long splits) {
    __shared__ A sums[256], products[256];
    long long groups = (channels + lanes - 1) / lanes, each = blockDim.x / lanes;
    for (long long job = blockIdx.x; job < groups * splits; job += gridDim.x) {
        long long channel = job % groups * lanes + threadIdx.x % lanes, split = job / groups;
        long long last = rows * (split + 1) / splits;
        A sum = A(0), product = A(0);
        if (channel < channels) {
            A middle = centre ? centre[channel] : A(0);
            for (long long row = rows * split / splits + threadIdx.x / lanes; row < last; row += each) {
                long long at = after == 1 ? row * channels + channel
                                          : (row / after * channels + channel) * after + row % after;
                A v = (A)x[at] - middle, w = a ? (A)a[at] : v;
                sum += w;
                product += w * v;
            }
        }
        sums[threadIdx.x] = sum;
        products[threadIdx.x] = product;
        __syncthreads();
        for (int half = blockDim.x / 2; half >= lanes; half /= 2) {
            if (threadIdx.x < half) {
                sums[threadIdx.x] += sums[threadIdx.x + half];
                products[threadIdx.x] += products[threadIdx.x + half];
            }
            __syncthreads();
        }
        if (threadIdx.x < lanes && channel < channels) {
            partial[2 * split * channels + channel] = sums[threadIdx.x];
            partial[(2 * split + 1) * channels + channel] = products[threadIdx.x];
        }
        __syncthreads();
    }
}

// means[i] = the sum over splits of partial[split][i], divided by count
template <typename A>
__global__ void channel_means(A* means, const A* partial, long long n, long long splits,
                              double count) {
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        A sum = A(0);
        for (long long split = 0; split < splits; ++split) sum += partial[split * n + i];
        means[i] = sum / A(count);
    }
}
