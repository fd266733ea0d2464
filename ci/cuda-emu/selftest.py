"""Self-test of the emulated device: run with  ci/cuda-emu/run python ci/cuda-emu/selftest.py [-k WORD]"""
import itertools
import sys
import time
import traceback

import cupy as cp
import numpy as np

import cudaemu

CASES = []
rt = cp.cuda.runtime


def case(f):
    CASES.append(f)
    return f


def eq(a, b, tol=0.0, dtype=True):
    assert isinstance(a, cp.ndarray), type(a)
    h = a.get()
    b = np.asarray(b)
    if dtype:
        assert h.dtype == b.dtype, (h.dtype, b.dtype)
    assert h.shape == b.shape, (h.shape, b.shape)
    if tol:
        np.testing.assert_allclose(h.astype(np.complex128), b.astype(np.complex128), rtol=tol, atol=tol)
    else:
        np.testing.assert_array_equal(h, b)


def raises(exc, text, f, *a, **k):
    try:
        f(*a, **k)
    except exc as e:
        assert text in str(e), str(e)
        return
    raise AssertionError('not refused: %s' % text)


def faults(name, f, *a):
    """An error inside a kernel: at the launch, or when deferred at the synchronisation."""
    from cupy_backends.cuda.api.driver import CUDADriverError
    try:
        f(*a)
        sync()
    except (CUDADriverError, rt.CUDARuntimeError) as e:
        assert name in str(e).upper().replace('_', ''), str(e)
        return
    raise AssertionError('no error: %s' % name)


sync = cp.cuda.Device().synchronize
R = np.random.RandomState(0)


def rnd(*shape, dtype='f'):
    x = R.uniform(-2, 2, shape)
    if np.dtype(dtype).kind == 'c':
        x = x + 1j * R.uniform(-2, 2, shape)
    return x.astype(dtype)


@case
def device():
    assert cp.is_available() and rt.getDeviceCount() == 1
    assert b'Emulated' in rt.getDeviceProperties(0)['name']
    assert cp.cuda.Device().compute_capability == '80'


@case
def creation():
    for d in '?bBhHiIlLqQefdFD':
        eq(cp.zeros((3, 4), d), np.zeros((3, 4), d))
        eq(cp.ones((3, 4), d), np.ones((3, 4), d))
        eq(cp.full((5,), 3, d), np.full((5,), 3, d))
        eq(cp.array([[1, 2], [3, 0]], d), np.array([[1, 2], [3, 0]], d))
    eq(cp.arange(10, 50, 3), np.arange(10, 50, 3))
    eq(cp.linspace(0, 1, 11), np.linspace(0, 1, 11), 1e-15)
    eq(cp.eye(4, 5, 1), np.eye(4, 5, 1))
    eq(cp.tri(4), np.tri(4))
    eq(cp.empty((0, 3)), np.empty((0, 3)))
    eq(cp.ones(100000, 'f'), np.ones(100000, 'f'))


@case
def elementwise():
    for d in 'bhilBHILefdFD':
        a, b = rnd(4, 7, dtype=d), (rnd(4, 7, dtype=d) + 3).astype(d)
        A, B = cp.asarray(a), cp.asarray(b)
        tol = {'e': 2e-3, 'f': 1e-6, 'F': 1e-5}.get(d, 1e-13)
        for op in ('add', 'subtract', 'multiply', 'true_divide', 'equal'):
            eq(getattr(cp, op)(A, B), getattr(np, op)(a, b), tol)
        if d not in 'FD':
            for op in ('maximum', 'minimum', 'greater', 'floor_divide', 'remainder'):
                eq(getattr(cp, op)(A, B), getattr(np, op)(a, b), tol)
    for f in 'exp log log1p expm1 sqrt sin cos tan arctan tanh sinh floor ceil rint abs sign square cbrt exp2 log2 log10 isnan signbit negative'.split():
        for d in 'efd':
            x = np.abs(rnd(50, dtype=d)) + np.dtype(d).type(0.5)
            eq(getattr(cp, f)(cp.asarray(x)), getattr(np, f)(x), {'e': 2e-3, 'f': 2e-6, 'd': 1e-12}[d])
    z = rnd(20, dtype='D')
    for f in 'exp log sqrt sin cos tanh abs conj angle real'.split():
        eq(getattr(cp, f)(cp.asarray(z)), getattr(np, f)(z), 1e-12)
    i = R.randint(0, 1000, 50)
    for f in ('bitwise_and', 'bitwise_or', 'bitwise_xor', 'left_shift'):
        eq(getattr(cp, f)(cp.asarray(i), 3), getattr(np, f)(i, 3))


@case
def broadcasting_views():
    a, b = rnd(5, 1, 4), rnd(3, 1)
    eq(cp.asarray(a) * cp.asarray(b), a * b)
    x = rnd(6, 8)
    X = cp.asarray(x)
    eq(X[::2, ::-1] + X.T[:3, :6].T[:3, :1], x[::2, ::-1] + x.T[:3, :6].T[:3, :1])
    X[1:3] += 1; x[1:3] += 1
    eq(X, x)
    eq(cp.broadcast_to(X, (2, 6, 8)), np.broadcast_to(x, (2, 6, 8)))
    s = np.lib.stride_tricks.as_strided(x, (4, 3, 3), (32, 32, 4))
    eq(cp.lib.stride_tricks.as_strided(X, (4, 3, 3), (32, 32, 4)), s)
    eq(cp.lib.stride_tricks.sliding_window_view(X, (2, 3)), np.lib.stride_tricks.sliding_window_view(x, (2, 3)))
    eq(X.astype('f8').reshape(4, 12).transpose(1, 0).copy(), x.astype('f8').reshape(4, 12).T.copy())


@case
def reductions():
    for shape in [(7,), (3, 5), (4, 3, 6), (1, 1), (1000, 37), (3, 5000), (100000,)]:
        for d in 'fdieF':
            x = rnd(*shape, dtype=d)
            X = cp.asarray(x)
            tol = {'e': 2e-2, 'f': 2e-4, 'F': 2e-4}.get(d, 1e-10)
            if d == 'e' and x.size > 10000:
                continue
            for ax in [None] + list(range(len(shape))) + [tuple(range(len(shape)))]:
                eq(X.sum(axis=ax), x.sum(axis=ax), tol)
                eq(X.mean(axis=ax), x.mean(axis=ax), tol)
                if d != 'F':
                    eq(X.max(axis=ax, keepdims=True), x.max(axis=ax, keepdims=True))
                    if not isinstance(ax, tuple):
                        eq(X.argmax(axis=ax), x.argmax(axis=ax), dtype=False)
                        eq(X.argmin(axis=ax), x.argmin(axis=ax), dtype=False)
                if d in 'fd':
                    eq(X.var(axis=ax), x.var(axis=ax), tol)
                    eq(X.std(axis=ax, ddof=0), x.std(axis=ax), tol)
    b = R.rand(30, 4) > .5
    eq(cp.asarray(b).all(axis=0), b.all(axis=0)); eq(cp.asarray(b).any(), b.any()); eq(cp.count_nonzero(cp.asarray(b)), np.count_nonzero(b), dtype=False)
    eq(cp.prod(cp.asarray(rnd(5, 6) * 0 + 1.5), axis=1), np.prod(np.full((5, 6), 1.5, 'f'), axis=1), 1e-6)
    eq(cp.nansum(cp.array([1, np.nan, 2])), np.nansum([1, np.nan, 2]))


@case
def matmul():
    for d, tol in [('e', 2e-2), ('f', 1e-4), ('d', 1e-12), ('F', 1e-4), ('D', 1e-12), ('i', 0)]:
        a, b = rnd(17, 33, dtype=d), rnd(33, 9, dtype=d)
        A, B = cp.asarray(a), cp.asarray(b)
        eq(A @ B, a @ b, tol)
        eq(A.T[:, :9].T @ A.T, a.T[:, :9].T @ a.T, tol)
        eq(B.T @ A.T, b.T @ a.T, tol)
        eq(A @ B[:, 0], a @ b[:, 0], tol)
        eq(B[:, 1] @ A.T[:, 2], b[:, 1] @ a.T[:, 2], tol)
        p, q = rnd(4, 5, 6, dtype=d), rnd(4, 6, 7, dtype=d)
        eq(cp.asarray(p) @ cp.asarray(q), p @ q, tol)
        eq(cp.asarray(p) @ cp.asarray(q[0]), p @ q[0], tol)
        eq(cp.matmul(cp.asarray(q).transpose(0, 2, 1), cp.asarray(p).transpose(0, 2, 1)), q.transpose(0, 2, 1) @ p.transpose(0, 2, 1), tol)
        eq(cp.dot(A, B), a.dot(b), tol)
        eq(cp.tensordot(cp.asarray(p), cp.asarray(q), ((0, 2), (0, 1))), np.tensordot(p, q, ((0, 2), (0, 1))), tol)
    a, b = rnd(2, 3, 4, 5), rnd(2, 3, 5, 6)
    eq(cp.matmul(cp.asarray(a), cp.asarray(b)), a @ b, 1e-5)
    big = rnd(200, 300)
    eq(cp.asarray(big) @ cp.asarray(big).T, big @ big.T, 1e-3)
    eq(cp.zeros((3, 0)) @ cp.zeros((0, 4)), np.zeros((3, 4)))
    eq(cp.outer(cp.arange(3.), cp.arange(4.)), np.outer(np.arange(3.), np.arange(4.)))
    eq(cp.vdot(cp.asarray(a), cp.asarray(a)), np.vdot(a, a), 1e-4)


@case
def einsum_norm():
    a, b = rnd(4, 5, 6, dtype='d'), rnd(4, 6, 7, dtype='d')
    A, B = cp.asarray(a), cp.asarray(b)
    for e in ['bij,bjk->bik', 'bij,bjk->ik', 'bij,bjk->bki', 'bij,bjk->']:
        eq(cp.einsum(e, A, B), np.einsum(e, a, b), 1e-10)
    eq(cp.einsum('bij->bji', A), np.einsum('bij->bji', a))
    eq(cp.einsum('ii->i', A[0][:, :5]), np.einsum('ii->i', a[0][:, :5]))
    for o in (None, 1, np.inf, 'fro'):
        eq(cp.linalg.norm(A[0], o), np.linalg.norm(a[0], o), 1e-12)
    eq(cp.linalg.norm(A, axis=2), np.linalg.norm(a, axis=2), 1e-12)
    eq(cp.trace(A[0]), np.trace(a[0]), 1e-12)


@case
def indexing():
    x = rnd(6, 7, 3)
    X = cp.asarray(x)
    i, j = R.randint(0, 6, 11), R.randint(0, 7, 11)
    I, J = cp.asarray(i), cp.asarray(j)
    eq(X[I], x[i]); eq(X[I, J], x[i, j]); eq(X[:, J, 1], x[:, j, 1]); eq(X[X > 0], x[x > 0])
    eq(cp.take(X, I, axis=0), np.take(x, i, axis=0)); eq(cp.take_along_axis(X, cp.argsort(X, 1), 1), np.take_along_axis(x, np.argsort(x, 1), 1))
    eq(cp.where(X > 0, X, 0), np.where(x > 0, x, np.float32(0)))
    eq(cp.where(X > 1)[0], np.where(x > 1)[0]); eq(cp.argwhere(X > 1), np.argwhere(x > 1))
    X[I, J] = 5; x[i, j] = 5; eq(X, x)
    X[X < 0] = 0; x[x < 0] = 0; eq(X, x)
    X[2:4, ::2] = cp.ones(3, 'f'); x[2:4, ::2] = 1; eq(X, x)
    import cupyx
    for d in 'fdiIe':
        t = np.zeros(8, d); T = cp.zeros(8, d)
        k = R.randint(0, 8, 100); v = np.ones(100, d)
        np.add.at(t, k, v); cupyx.scatter_add(T, cp.asarray(k), cp.asarray(v)); eq(T, t)
    cp.add.at(T, cp.asarray(k), cp.asarray(v)); np.add.at(t, k, v); eq(T, t)
    m = np.full(5, -9., 'f'); M = cp.asarray(m); np.maximum.at(m, [1, 1, 3], [2, 1, 7.]); cupyx.scatter_max(M, cp.array([1, 1, 3]), cp.array([2, 1, 7.], 'f')); eq(M, m)
    eq(cp.choose(cp.array([0, 1, 0]), cp.stack([cp.arange(3), cp.arange(3) * 10])), np.choose([0, 1, 0], [np.arange(3), np.arange(3) * 10]))
    eq(cp.diag(X[:, :6, 0]), np.diag(x[:, :6, 0])); eq(cp.tril(X[:, :, 0]), np.tril(x[:, :, 0]))
    eq(cp.bincount(cp.asarray(k)), np.bincount(k), dtype=False)
    eq(cp.unique(cp.asarray(k)), np.unique(k)); eq(cp.searchsorted(cp.arange(10.), cp.asarray(m)), np.searchsorted(np.arange(10.), m), dtype=False)


@case
def manipulation():
    x, y = rnd(3, 4), rnd(3, 2)
    X, Y = cp.asarray(x), cp.asarray(y)
    eq(cp.concatenate([X, Y], 1), np.concatenate([x, y], 1)); eq(cp.stack([X, X], 1), np.stack([x, x], 1)); eq(cp.vstack([X, X]), np.vstack([x, x]))
    for mode in ('constant', 'edge', 'reflect', 'symmetric', 'wrap'):
        eq(cp.pad(X, ((1, 2), (0, 3)), mode=mode), np.pad(x, ((1, 2), (0, 3)), mode=mode))
    eq(cp.tile(X, (2, 2)), np.tile(x, (2, 2))); eq(cp.repeat(X, 3, axis=1), np.repeat(x, 3, axis=1)); eq(cp.roll(X, 2, 1), np.roll(x, 2, 1)); eq(cp.flip(X, 0), np.flip(x, 0))
    for a, b in zip(cp.split(X, 2, 1), np.split(x, 2, 1)):
        eq(a, b)
    eq(cp.moveaxis(X[None], 0, 2), np.moveaxis(x[None], 0, 2)); eq(cp.squeeze(X[None]), x); eq(cp.expand_dims(X, 1), np.expand_dims(x, 1))
    for d in 'fdil':
        z = rnd(5, 33, dtype=d)
        eq(cp.cumsum(cp.asarray(z), 1), np.cumsum(z, 1), 1e-4); eq(cp.cumsum(cp.asarray(z)), np.cumsum(z), 1e-4)
    w = rnd(3000)
    eq(cp.cumsum(cp.asarray(w)), np.cumsum(w), 1e-2); eq(cp.cumprod(cp.asarray(w[:9])), np.cumprod(w[:9]), 1e-5); eq(cp.diff(cp.asarray(w)), np.diff(w))
    eq(cp.clip(X, -1, 1), np.clip(x, -1, 1)); eq(cp.histogram(cp.asarray(w), 10)[0], np.histogram(w, 10)[0], dtype=False)


@case
def sorting():
    for d in 'bhilBHILefdFD?':
        x = rnd(4, 21, dtype=d)
        if d in 'efd':
            x[1, 3] = np.nan
        X = cp.asarray(x)
        eq(cp.sort(X), np.sort(x)); eq(cp.sort(X, 0), np.sort(x, 0)); eq(cp.sort(X.ravel()), np.sort(x.ravel()))
        eq(cp.argsort(X, 1, kind='stable'), np.argsort(x, 1, kind='stable'))
    x = rnd(40)
    eq(cp.sort(cp.partition(cp.asarray(x), 7)[:7]), np.sort(x)[:7])
    eq(cp.lexsort(cp.asarray(np.stack([x, x > 0]))), np.lexsort(np.stack([x, x > 0])))
    eq(cp.median(cp.asarray(x)), np.median(x), 1e-6); eq(cp.percentile(cp.asarray(x), [10, 50]), np.percentile(x, [10, 50]), 1e-6, dtype=False)


@case
def user_kernels():
    k = cp.ElementwiseKernel('T x, T y, raw T z', 'T o', 'o = x * y + z[i % 3]', 'k_el')
    x, y, z = rnd(50), rnd(50), rnd(3)
    eq(k(cp.asarray(x), cp.asarray(y), cp.asarray(z)), x * y + z[np.arange(50) % 3], 1e-6)
    r = cp.ReductionKernel('T x', 'T y', 'x * x', 'a + b', 'y = sqrt(a)', '0', 'k_red')
    m = rnd(30, 40)
    eq(r(cp.asarray(m), axis=1), np.sqrt((m * m).sum(1)), 1e-4)

    @cp.fuse()
    def f(a, b):
        return cp.exp(-a * a) * b + cp.maximum(a, b)
    eq(f(cp.asarray(x), cp.asarray(y)), np.exp(-x * x) * y + np.maximum(x, y), 1e-5)

    @cp.fuse()
    def g(a):
        return cp.sum(a * a, axis=1)
    eq(g(cp.asarray(m)), (m * m).sum(1), 1e-3)


SRC = r'''
#define N 256
extern "C" __global__ void blocksum(const float* x, float* out, int n) {
    __shared__ float s[N];
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    s[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int o = N / 2; o > 0; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
    if (t == 0) atomicAdd(out, s[0]);
}
__device__ float warp_sum(float v) {
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
    return v;
}
extern "C" __global__ void __launch_bounds__(1024) warpsum(const float* x, float* out, int n) {
    extern __shared__ float w[];
    int t = threadIdx.x, lane = t & 31, i = blockIdx.x * blockDim.x + t;
    float v = warp_sum(i < n ? x[i] : 0.0f);
    if (lane == 0) w[t >> 5] = v;
    __syncthreads();
    if (t < 32) { v = t < (blockDim.x >> 5) ? w[t] : 0.0f; v = warp_sum(v); if (t == 0) out[blockIdx.x] = v; }
}
extern "C" __global__ void warpops(int* out) {
    int t = threadIdx.x;
    out[t] = __ballot_sync(0xffffffff, t & 1);
    out[32 + t] = __shfl_xor_sync(0xffffffff, t, 5);
    out[64 + t] = __shfl_sync(0xffffffff, t, 3, 8);
    out[96 + t] = __any_sync(0xffffffff, t == 31) + 2 * __all_sync(0xffffffff, t < 31);
    out[128 + t] = __syncthreads_count(t < 10);
    out[160 + t] = __popc(__match_any_sync(0xffffffff, t / 4));
}
struct P { double a; int b; float c; };
__constant__ float coef[4];
extern "C" __global__ void args(P p, char c, double d, short s, float* o) {
    o[0] = p.a; o[1] = p.b; o[2] = p.c; o[3] = c; o[4] = d; o[5] = s; o[6] = coef[2]; o[7] = gridDim.y * 100 + blockDim.z;
}
extern "C" __global__ void oob(float* x) { x[threadIdx.x + (1ull << 40)] = 1; }
extern "C" __global__ void overrun(float* x, int n) { x[n] = 1; }
extern "C" __global__ void diverge(int* x) { if (threadIdx.x < 16) __syncthreads(); else __syncwarp(0xffffffff); }
'''
TPL = r'''
template <class T, int K> __global__ void scale(T* x, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] *= K; }
'''


@case
def raw_kernels():
    mod = cp.RawModule(code=SRC)
    x = rnd(5000); X = cp.asarray(x)
    out = cp.zeros(1, 'f')
    mod.get_function('blocksum')((20,), (256,), (X, out, np.int32(5000)))
    eq(out, np.array([x.sum()]), 1e-3)
    out = cp.zeros(20, 'f')
    mod.get_function('warpsum')((20,), (256,), (X, out, np.int32(5000)), shared_mem=32 * 4)
    eq(out, np.pad(x, (0, 120)).reshape(20, 256).sum(1), 1e-4)
    o = cp.zeros(192, 'i')
    mod.get_function('warpops')((1,), (32,), (o,))
    t = np.arange(32)
    eq(o, np.concatenate([np.full(32, 0xAAAAAAAA, 'u4').view('i4'), t ^ 5, (t & ~7) | 3, np.full(32, 1), np.full(32, 10), np.full(32, 4)]).astype('i'))
    p = np.zeros((), np.dtype([('a', 'f8'), ('b', 'i4'), ('c', 'f4')])); p['a'], p['b'], p['c'] = 1.5, 2, 3.5
    mem = mod.get_global('coef')
    cp.ndarray((4,), 'f', mem)[...] = cp.array([0, 0, 42, 0], 'f')
    o = cp.zeros(8, 'f')
    mod.get_function('args')((1, 2), (1, 1, 3), (p, np.int8(7), 2.25, np.int16(-9), o))
    eq(o, np.array([1.5, 2, 3.5, 7, 2.25, -9, 42, 203], 'f'))
    tm = cp.RawModule(code=TPL, name_expressions=['scale<float, 3>', 'scale<double, 5>'])
    tm.get_function('scale<float, 3>')((20,), (256,), (X, 5000)); eq(X, x * 3)
    D = cp.asarray(x.astype('d')); tm.get_function('scale<double, 5>')((20,), (256,), (D, 5000)); eq(D, x.astype('d') * 5)
    k = cp.RawKernel(r'extern "C" __global__ void add1(double* x) { x[blockIdx.x * blockDim.x + threadIdx.x] += 1; }', 'add1')
    z = cp.zeros(64); k((2,), (32,), (z,)); eq(z, np.ones(64)); assert k.max_threads_per_block == 1024


CG = r'''
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void tiles(int* out) {
    auto b = cg::this_thread_block(); auto t = cg::tiled_partition<8>(b);
    int v = b.thread_rank();
    for (int o = t.size() / 2; o > 0; o /= 2) v += t.shfl_down(v, o);
    __shared__ int s[16];
    if (t.thread_rank() == 0) s[t.meta_group_rank()] = v;
    b.sync();
    if (b.thread_rank() < 8) out[b.thread_rank()] = s[b.thread_rank()];
}
'''


@case
def cooperative_groups():
    o = cp.zeros(8, 'i')
    cp.RawKernel(CG, 'tiles')((1,), (64,), (o,))
    eq(o, np.arange(64).reshape(8, 8).sum(1).astype('i'))


@case
def jit():
    from cupyx import jit as J

    @J.rawkernel()
    def saxpy(x, y, n):
        i = J.blockIdx.x * J.blockDim.x + J.threadIdx.x
        if i < n:
            y[i] = x[i] * 2 + y[i]

    @J.rawkernel()
    def rev(x, n):
        s = J.shared_memory(np.float32, 64)
        t = J.threadIdx.x
        s[t] = x[t]
        J.syncthreads()
        x[t] = s[n - t]
    x, y = rnd(100), rnd(100)
    X, Y = cp.asarray(x), cp.asarray(y)
    saxpy((4,), (32,), (X, Y, 100)); eq(Y, x * 2 + y, 1e-6)
    rev((1,), (64,), (X, np.uint32(63))); x[:64] = x[63::-1]; eq(X, x)


@case
def launch_errors():
    from cupy_backends.cuda.api.driver import CUDADriverError
    raises(cp.cuda.compiler.CompileException, 'error', cp.RawKernel('extern "C" __global__ void f() { undefined_thing(); }', 'f').compile)
    raises(CUDADriverError, 'NOT_FOUND', cp.RawModule(code=SRC).get_function, 'nothing')
    f = cp.RawModule(code=SRC).get_function('blocksum')
    raises(CUDADriverError, 'INVALID_VALUE', f, (1,), (2048,), (cp.zeros(1, 'f'), cp.zeros(1, 'f'), np.int32(1)))
    raises(CUDADriverError, 'INVALID_VALUE', f, (1,), (32,), (cp.zeros(1, 'f'), cp.zeros(1, 'f'), np.int32(1)), shared_mem=1 << 20)
    raises(TypeError, 'Implicit conversion', np.asarray, cp.zeros(3))
    raises(TypeError, '', lambda: np.zeros(3) + cp.zeros(3))
    raises(TypeError, '', cp.add, cp.zeros(3), np.zeros(3))
    raises(rt.CUDARuntimeError, 'cudaErrorInvalidValue', rt.memcpy, cp.zeros(4, 'b').data.mem.ptr, cp.zeros(4).data.mem.ptr, 1 << 40, rt.memcpyDeviceToDevice)
    raises(rt.CUDARuntimeError, 'cudaErrorInvalidValue', rt.memcpy, np.zeros(4).ctypes.data, cp.zeros(4).data.mem.ptr, 8, rt.memcpyHostToDevice)
    raises(rt.CUDARuntimeError, 'cudaErrorInvalidValue', rt.free, 12345)
    raises(rt.CUDARuntimeError, 'cudaErrorInvalidDevice', cp.cuda.Device(1).use)
    raises(cp.cuda.memory.OutOfMemoryError, 'Out of memory', cp.zeros, 1 << 40, 'b')
    x = cp.zeros(32, 'i')
    try:
        faults('ILLEGALADDRESS', cp.RawModule(code=SRC).get_function('oob'), (1,), (1,), (cp.zeros(4, 'f'),))
        raises(rt.CUDARuntimeError, 'cudaErrorIllegalAddress', rt.deviceSynchronize)
    finally:
        cudaemu.clear_error()
    try:
        faults('LAUNCH', cp.RawModule(code=SRC).get_function('diverge'), (1,), (32,), (x,))
    finally:
        cudaemu.clear_error()
    eq(cp.arange(3) + 1, np.arange(3) + 1)


@case
def streams_events():
    s = cp.cuda.Stream(non_blocking=True)
    e1, e2 = cp.cuda.Event(), cp.cuda.Event()
    with s:
        e1.record(s)
        x = cp.arange(1000.) * 2
        e2.record(s)
        cp.cuda.Stream.null.wait_event(e2)
    s.synchronize(); e2.synchronize()
    assert cp.cuda.get_elapsed_time(e1, e2) >= 0 and s.done and e2.done
    eq(x, np.arange(1000.) * 2)
    raises(rt.CUDARuntimeError, 'InvalidResourceHandle', cp.cuda.get_elapsed_time, cp.cuda.Event(disable_timing=True), e2)
    got = []
    s.launch_host_func(lambda a: got.append(a), 7)
    s.synchronize()
    assert got == [7]
    cp.cuda.Device().synchronize()
    with cp.cuda.stream.Stream(ptds=True):
        eq(cp.ones(3) + 1, np.full(3, 2.))
    ex = cp.cuda.ExternalStream(s.ptr)
    with ex:
        eq(cp.ones(3).sum(), np.float64(3))
    del s
    raises(rt.CUDARuntimeError, 'InvalidResourceHandle', rt.streamSynchronize, 0x1234560)


def _capture(f, mode=None, non_blocking=True):
    s = cp.cuda.Stream(non_blocking=non_blocking)
    with s:
        s.begin_capture(mode)
        try:
            f(s)
        finally:
            g = s.end_capture()
    return g, s


@case
def graphs():
    a, b = cp.arange(6, dtype='f').reshape(2, 3), cp.ones((2, 3), 'f')
    out, acc = cp.zeros((2, 3), 'f'), cp.zeros((), 'f')
    cp.add(a, b, out=out); (out * 2).sum(); acc += 1; acc[...] = 0; out[...] = 0     # warm up: compile, allocate

    def step(s):
        with cudaemu.measure() as m:
            cp.add(a, b, out=out)
            t = (out * 2).sum()
            cp.add(acc, t, out=acc)
        assert m.kernels == 0 and m.cublas == 0, vars(m)
    g, s = _capture(step)
    eq(out, np.zeros((2, 3), 'f'))                    # nothing ran
    sync()
    with cudaemu.measure() as m:
        for i in range(3):
            g.launch(s)
    assert m.graph_launches == 3 and m.graph_kernels == m.kernels == 12, vars(m)
    s.synchronize()
    ref = a.get() + b.get()
    eq(out, ref); eq(acc, np.float32(3 * 2 * ref.sum()))
    a += 1                                            # graphs see the arguments' memory, not its old contents
    g.launch(); cp.cuda.Stream.null.synchronize()
    eq(out, a.get() + b.get())
    # memcpy and memset nodes
    h = cp.cuda.alloc_pinned_memory(24); hv = np.frombuffer(h, 'f', 6); hv[:] = 9
    dst = cp.zeros(6, 'f')
    g2, s2 = _capture(lambda s: (dst.data.memset_async(0, 24, s), rt.memcpyAsync(dst.data.ptr, h.ptr, 12, rt.memcpyHostToDevice, s.ptr)))
    dst[...] = 5
    sync(); g2.launch(s2); sync(); eq(dst, np.array([9, 9, 9, 0, 0, 0], 'f'))
    # fork and join through events
    t = cp.cuda.Stream(non_blocking=True); e1, e2 = cp.cuda.Event(), cp.cuda.Event()
    u, v = cp.zeros(4), cp.zeros(4); u += 1; u[...] = 0

    def fork(s):
        e1.record(s); t.wait_event(e1)
        assert t.is_capturing()
        with t:
            cp.add(u, 1, out=u)
        e2.record(t); s.wait_event(e2)
        cp.add(v, u, out=v)
    g3, s3 = _capture(fork)
    sync(); g3.launch(s3); g3.launch(s3); sync(); eq(u, np.full(4, 2.)); eq(v, np.full(4, 3.))

    def unjoined(s):
        e1.record(s); t.wait_event(e1)
        with t:
            cp.add(u, 1, out=u)
    raises(rt.CUDARuntimeError, 'cudaErrorStreamCaptureUnjoined', _capture, unjoined)


@case
def graph_refusals():
    from cupy_backends.cuda.api.driver import CUDADriverError
    x = cp.arange(8.); y = cp.zeros(8); x + 1; cp.sum(x)
    E = rt.CUDARuntimeError

    def check(name, f, mode=None, then='cudaErrorStreamCaptureInvalidated', non_blocking=True, exc=E):
        s = cp.cuda.Stream(non_blocking=non_blocking)
        with s:
            s.begin_capture(mode)
            raises(exc, name, f, s)
            if then:
                raises(E, then, s.end_capture)
            else:
                s.end_capture()
        assert not s.is_capturing()
    check('cudaErrorStreamCaptureUnsupported', lambda s: s.synchronize())
    check('', lambda s: (_ for _ in ()).throw(E(rt.streamQuery(s.ptr))) if rt.streamQuery(s.ptr) == 900 else 0)
    check('cudaErrorStreamCaptureUnsupported', lambda s: rt.deviceSynchronize())
    for f in (lambda s: x.get(), lambda s: float(x[0]), lambda s: bool((x > 0).all())):     # refused by CuPy itself
        check('D2H transfers are disallowed', f, then=None, exc=RuntimeError)
    for m in (rt.streamCaptureModeGlobal, rt.streamCaptureModeThreadLocal):
        check('cudaErrorStreamCaptureUnsupported', lambda s: rt.malloc(1 << 20), m)
        check('cudaErrorStreamCaptureUnsupported', lambda s: rt.memcpy(y.data.ptr, x.data.ptr, 8, rt.memcpyDeviceToDevice), m)
        fresh = cp.RawKernel(f'extern "C" __global__ void fresh{m}() {{}}', f'fresh{m}')        # not loaded yet
        check('CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED', lambda s: fresh((1,), (1,), ()), m, exc=CUDADriverError)
    s = cp.cuda.Stream(non_blocking=True)
    s.begin_capture(); p = rt.malloc(1 << 20); rt.free(p); s.end_capture()       # allowed in relaxed mode
    check('cudaErrorStreamCaptureImplicit', lambda s: rt.memsetAsync(y.data.ptr, 0, 8, 0), non_blocking=False)
    with cp.cuda.Stream.null:
        g, _ = _capture(lambda s: rt.memsetAsync(y.data.ptr, 0, 8, 0))            # legacy stream is free beside a non-blocking capture
    check('cudaErrorIllegalState', lambda s: rt.streamBeginCapture(s.ptr, 0), then=None)
    raises(E, 'cudaErrorIllegalState', rt.streamEndCapture, s.ptr)
    e = cp.cuda.Event()
    check('cudaErrorCapturedEvent', lambda s: (e.record(s), e.synchronize()))
    raises(E, 'cudaErrorStreamCaptureUnsupported', rt.streamBeginCapture, 0, 0)

    def after_failure(s):
        raises(E, '', s.synchronize)
        cp.add(x, 1, out=y)
    check('STREAM_CAPTURE_INVALIDATED', after_failure, exc=CUDADriverError)
    # CuPy itself refuses cuBLAS and cuRAND while capturing
    check('cuBLAS API during stream capture', lambda s: cp.matmul(x.reshape(2, 4), x.reshape(4, 2)), then=None, exc=NotImplementedError)
    eq(x + 1, np.arange(8.) + 1)


@case
def cublas_in_graph():
    """cuBLAS called past CuPy (which refuses it while capturing) is recorded."""
    import ctypes
    L = ctypes.CDLL('libcublas.so.13')
    h = ctypes.c_void_p()
    assert L.cublasCreate_v2(ctypes.byref(h)) == 0
    a, b = cp.asarray(rnd(3, 4)), cp.asarray(rnd(4, 5))
    out = cp.zeros((3, 5), 'f')
    one, zero, res = ctypes.c_float(1), ctypes.c_float(0), ctypes.c_float()
    ptr = lambda x: ctypes.c_void_p(x.data.ptr)

    def gemm(s):
        assert L.cublasSetStream_v2(h, ctypes.c_void_p(s.ptr)) == 0
        assert L.cublasSgemm_v2(h, 0, 0, 5, 3, 4, ctypes.byref(one), ptr(b), 5, ptr(a), 4, ctypes.byref(zero), ptr(out), 5) == 0
    g, s = _capture(gemm)
    eq(out, np.zeros((3, 5), 'f'))
    g.launch(s); sync(); eq(out, a.get() @ b.get(), 1e-6)
    a *= 2
    sync(); g.launch(s); sync(); eq(out, a.get() @ b.get(), 1e-6)

    def dot(s):                                       # a result for the host needs a synchronisation
        L.cublasSetStream_v2(h, ctypes.c_void_p(s.ptr))
        assert L.cublasSdot_v2(h, 4, ptr(a), 1, ptr(a), 1, ctypes.byref(res)) != 0
    raises(rt.CUDARuntimeError, 'cudaErrorStreamCaptureInvalidated', _capture, dot)
    L.cublasSetStream_v2(h, None)
    assert L.cublasSgemm_v2(h, 0, 0, 5, 3, 4, ptr(a), ptr(b), 5, ptr(a), 4, ctypes.byref(zero), ptr(out), 5) != 0   # alpha: wrong kind of pointer
    assert L.cublasSgemm_v2(h, 0, 0, 5, 3, 4, ctypes.byref(one), ptr(b), 2, ptr(a), 4, ctypes.byref(zero), ptr(out), 5) == 7   # ldb
    host = np.zeros((3, 5), 'f')
    try:
        L.cublasSgemm_v2(h, 0, 0, 5, 3, 4, ctypes.byref(one), ptr(b), 5, ptr(a), 4, ctypes.byref(zero), ctypes.c_void_p(host.ctypes.data), 5)
        raises(rt.CUDARuntimeError, 'cudaErrorIllegalAddress', sync)
    finally:
        cudaemu.clear_error()
    L.cublasDestroy_v2(h)


@case
def cublaslt():
    """Epilogues, in a graph too; descriptors are checked as NVIDIA's library does."""
    import ctypes
    from ctypes import byref, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
    L = ctypes.CDLL('libcublas.so.13')
    h, desc, pref = c_void_p(), c_void_p(), c_void_p()
    assert L.cublasCreate_v2(byref(h)) == 0
    m, n, k = 5, 3, 4
    a, b, v, out = cp.asarray(rnd(k, m)), cp.asarray(rnd(n, k)), cp.asarray(rnd(m)), cp.zeros((n, m), 'f')
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    ptr = lambda x: c_void_p(x.data.ptr)
    put = lambda kind, of, i, x: getattr(L, f'cublasLt{kind}SetAttribute')(of, i, byref(x), ctypes.c_size_t(ctypes.sizeof(x)))

    def layout(rows, columns, kind=0):
        made = c_void_p()
        assert L.cublasLtMatrixLayoutCreate(byref(made), kind, c_uint64(rows), c_uint64(columns), c_int64(rows)) == 0
        return made
    la, lb, lo = layout(m, k), layout(k, n), layout(m, n)
    assert L.cublasLtMatmulDescCreate(byref(desc), 68, 0) == 0
    assert put('MatmulDesc', desc, 7, c_uint64(6)) == 7                      # of another size
    assert L.cublasLtMatmulPreferenceCreate(byref(pref)) == 0
    assert put('MatmulPreference', pref, 1, c_uint64(1 << 20)) == 0
    result, found, workspace = (c_uint64 * 12)(), c_int(), cp.zeros(1 << 20, 'u1')

    def choose(layouts=(la, lb, lo)):
        x, y, z = layouts
        return L.cublasLtMatmulAlgoGetHeuristic(h, desc, x, y, z, z, pref, 1, result, byref(found))

    def matmul(s=None, at=out, room=1 << 20, scale=byref(one)):
        return L.cublasLtMatmul(h, desc, scale, ptr(a), la, ptr(b), lb, byref(zero), ptr(at), lo, ptr(at), lo, result,
                                ptr(workspace), ctypes.c_size_t(room), c_void_p(s.ptr if s else 0))
    assert put('MatmulDesc', desc, 7, c_uint32(6)) == 0
    assert choose() == 7                                                     # no bias given
    assert put('MatmulDesc', desc, 8, c_uint64(v.data.ptr)) == 0
    assert choose((la, lb, la)) == 7 and choose() == 0 and found.value == 1  # shapes that do not fit
    expected = np.maximum(b.get() @ a.get() + v.get(), 0)
    g, s = _capture(lambda s: matmul(s))
    eq(out, np.zeros((n, m), 'f'))
    g.launch(s); sync(); eq(out, expected, 1e-6)
    assert matmul(room=1000) == 7 and matmul(at=cp.zeros(100, 'f')[1:]) == 7  # less than it was chosen for
    assert matmul(scale=ptr(a)) == 7                                         # on the device
    assert put('MatmulDesc', desc, 7, c_uint32(256)) == 0 and choose() == 0 and matmul() == 0
    sync(); eq(out, b.get() @ a.get(), 1e-6); eq(v, a.get().sum(0), 1e-6)    # BGRADA
    assert put('MatmulDesc', desc, 7, c_uint32(134)) == 0 and choose() == 7  # RELU_AUX_BIAS: no mask given
    mask = cp.zeros((n, 16), 'u1')
    assert put('MatmulDesc', desc, 11, c_uint64(mask.data.ptr)) == 0
    assert put('MatmulDesc', desc, 12, c_int64(96)) == 0 and choose() == 7   # not a multiple of 128
    assert put('MatmulDesc', desc, 12, c_int64(128)) == 0 and choose() == 0 and matmul() == 0
    z = b.get() @ a.get() + v.get()
    sync(); eq(out, np.maximum(z, 0), 1e-6)
    assert np.array_equal(np.unpackbits(mask.get(), axis=1, bitorder='little')[:, :m], z > 0)
    assert put('MatmulDesc', desc, 7, c_uint32(152)) == 0 and choose() == 0 and matmul() == 0
    dz = np.where(z > 0, b.get() @ a.get(), 0)
    sync(); eq(out, dz, 1e-6); eq(v, dz.sum(0), 1e-6)                        # DRELU_BGRAD
    assert put('MatmulDesc', desc, 7, c_uint32(256)) == 0
    halves = layout(m, k, 2), layout(k, n, 2), lo                            # float16 to float32, and so are the sums
    a, b, (la, lb, _) = a.astype('e'), b.astype('e'), halves
    assert choose((halves[0], halves[1], halves[0])) == 7 and choose((halves[0], layout(k, n), lo)) == 15
    assert choose(halves) == 0 and matmul() == 0
    sync(); eq(out, b.get().astype('f') @ a.get().astype('f'), 1e-6); eq(v, a.get().astype('f').sum(0), 1e-6)
    assert put('MatmulDesc', desc, 7, c_uint32(32)) == 0 and choose() == 15  # GELU is not emulated
    assert put('MatmulDesc', desc, 99, c_int32(0)) == 7
    for of, kind in ((desc, 'MatmulDesc'), (pref, 'MatmulPreference'), *((x, 'MatrixLayout') for x in (la, lb, lo))):
        assert getattr(L, f'cublasLt{kind}Destroy')(of) == 0
    L.cublasDestroy_v2(h)


@case
def random_numbers():
    cp.random.seed(3)
    u = cp.random.uniform(-1, 1, 20000).get()
    assert -1 <= u.min() and u.max() <= 1 and abs(u.mean()) < .03 and abs(u.var() - 1 / 3) < .02
    n = cp.random.normal(2, 3, 20001, 'f').get()
    assert n.dtype == 'f' and abs(n.mean() - 2) < .1 and abs(n.std() - 3) < .1
    i = cp.random.randint(0, 10, 5000).get()
    assert i.min() == 0 and i.max() == 9
    cp.random.seed(5); a = cp.random.rand(7); cp.random.seed(5); eq(cp.random.rand(7), a.get())
    assert sorted(cp.random.permutation(50).get()) == list(range(50))
    assert abs(cp.random.poisson(4, 5000).get().mean() - 4) < .2
    assert abs(cp.random.lognormal(0, .5, 5000).get().mean() - np.exp(.125)) < .1
    c = cp.random.choice(10, 5, replace=False).get(); assert len(set(c)) == 5
    b = cp.random.binomial(10, .3, 2000).get(); assert abs(b.mean() - 3) < .2
    g = cp.random.default_rng(1)
    assert abs(g.standard_normal(9999).get().std() - 1) < .05 and abs(g.random(9999, dtype='f').get().mean() - .5) < .02
    assert set(g.integers(0, 3, 100).get()) == {0, 1, 2} and abs(g.gamma(2., 3., 5000).get().mean() - 6) < .4


@case
def interop():
    x = cp.arange(6, dtype='f').reshape(2, 3)
    y = cp.from_dlpack(x); y += 1; eq(x, np.arange(1, 7, dtype='f').reshape(2, 3)); assert y.data.ptr == x.data.ptr
    d = x.__cuda_array_interface__; assert d['shape'] == (2, 3) and d['data'][0] == x.data.ptr
    class W: __cuda_array_interface__ = d
    eq(cp.asarray(W()), x.get())
    assert cp.get_array_module(x) is cp and cp.get_array_module(np.zeros(1)) is np
    assert isinstance(np.exp(x), cp.ndarray) and isinstance(np.concatenate([x, x]), cp.ndarray)
    assert rt.pointerGetAttributes(x.data.ptr).device == 0
    assert cp.cuda.runtime.pointerGetAttributes(x.data.ptr).type == 2
    eq(cp.asarray(np.asfortranarray(np.arange(6.).reshape(2, 3))), np.arange(6.).reshape(2, 3))
    h = np.empty((2, 3), 'f'); x.get(out=h); assert (h == x.get()).all()
    import pickle; eq(pickle.loads(pickle.dumps(x)), x.get())
    import io; f = io.BytesIO(); cp.save(f, x); f.seek(0); eq(cp.load(f), x.get())


@case
def memory_pools():
    pool = cp.get_default_memory_pool(); pool.free_all_blocks()
    before = cudaemu.counters().live_bytes
    x = cp.zeros(1 << 20, 'b'); assert cudaemu.counters().live_bytes - before >= 1 << 20
    n = cudaemu.counters().mallocs; del x; y = cp.zeros(1 << 20, 'b'); assert cudaemu.counters().mallocs == n
    del y; pool.free_all_blocks(); assert cudaemu.counters().live_bytes == before
    ap = cp.cuda.MemoryAsyncPool()
    with cp.cuda.using_allocator(ap.malloc):
        eq(cp.ones(1000) * 2, np.full(1000, 2.))
    with cp.cuda.using_allocator(None):
        z = cp.empty(16, 'f'); assert np.isnan(z.get()).all()      # fresh memory is poisoned
    free, total = cp.cuda.Device().mem_info; assert 0 < free <= total
    pool.set_limit(1 << 20)
    raises(cp.cuda.memory.OutOfMemoryError, '', cp.zeros, 1 << 21, 'b'); pool.set_limit(0)
    m = cp.cuda.malloc_managed(64); assert rt.pointerGetAttributes(m.ptr).type == 3


@case
def counters():
    x, w = cp.asarray(rnd(8, 16)), cp.asarray(rnd(16, 4)); h = x @ w; (cp.tanh(h) ** 2).sum()
    with cudaemu.measure() as m, cudaemu.log() as ops:
        y = cp.tanh(x @ w)
        z = (y ** 2).sum()
    assert m.d2h == 0 and m.h2d == 0 and m.stream_syncs == 0 and m.kernels == 3 and m.cublas == 1, (vars(m), ops)
    assert any('tanh' in o for o in ops), ops
    with cudaemu.measure() as m:
        float(z); cp.asarray(np.zeros(100))
    assert m.d2h == 1 and m.d2h_bytes == 4 and m.h2d == 1 and m.h2d_bytes == 800, vars(m)


@case
def memcheck():
    import os
    import subprocess
    prog = '''
import cupy as cp, numpy as np, cudaemu, sys
sys.path.insert(0, %r)
import selftest
cp.cuda.set_allocator(None)
y = cp.zeros(7, 'e'); p = y.data.ptr; del y
for n in range(200):  # the part of an indexer that CuPy never sets may hold anything
    junk = [bytearray(np.full(words, p, 'q').tobytes()) for words in range(4, 120) for _ in range(5)]
    del junk
    cp.zeros((3, 2), 'e').min(n %% 2)
x = cp.zeros(6, 'f')
f = cp.RawModule(code=selftest.SRC).get_function('overrun')
f((1,), (1,), (x, np.int32(5))); assert cudaemu.memcheck() == 0
f((1,), (1,), (x, np.int32(6))); assert cudaemu.memcheck() == 1
f((1,), (1,), (x, np.int32(-1))); assert cudaemu.memcheck() == 1
y = cp.zeros(6, 'f'); p = y.data.ptr; k = cp.RawKernel('extern "C" __global__ void g(unsigned long long p, float* o) { *o = *(float*)p; }', 'g')
z = cp.zeros(1, 'f'); k((1,), (1,), (p, z)); del y
try:
    k((1,), (1,), (p, z)); cp.cuda.Device().synchronize()
except Exception as e:
    assert 'ILLEGALADDRESS' in str(e).upper().replace('_', ''); print('caught')
''' % os.path.dirname(os.path.abspath(__file__))
    r = subprocess.run([sys.executable, '-c', prog], env=dict(os.environ, CUDAEMU_MEMCHECK='1'), capture_output=True, text=True)
    for text in ('out-of-bounds write after', 'argument 0 points into freed device memory'):
        assert 'caught' in r.stdout and text in r.stderr, (r.stdout, r.stderr[-800:])


# ---------------------------------------- what the ordering modes must show
SEEDS = range(1, 21)


def shows(name, f, right=(), mode='async_', **defects):
    """f(**flags) -> right? With every flag it must be, under all seeds; with one flag off not always."""
    flags = dict.fromkeys(defects, True)
    out = []
    for off in [None] + list(defects):
        good = 0
        for seed in SEEDS:
            with cudaemu.modes(**{mode: seed}):
                good += bool(f(**dict(flags, **({off: False} if off else {}))))
                sync()
        if off is None:
            assert good == len(SEEDS), '%s: correct code failed under %d of %d seeds' % (name, len(SEEDS) - good, len(SEEDS))
        else:
            assert len(SEEDS) - good >= defects[off], '%s without %s: right under %d of %d seeds' % (name, off, good, len(SEEDS))
            out.append('%s %d/%d' % (off, len(SEEDS) - good, len(SEEDS)))
    print('     %s: caught without %s' % (name, ', '.join(out)))


def pinned(n):
    m = cp.cuda.alloc_pinned_memory(4 * n)
    return np.frombuffer(m, 'f', n)


def prefetch(host_wait, ready_wait, used_wait, result_wait, n=64, batches=7):
    """Double-buffered: host -> pinned -> (copy stream) device -> (compute stream) sums -> pinned."""
    cs, ks = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)
    data = [np.full(n, i + 1, 'f') for i in range(batches)]
    host, dev = [pinned(n), pinned(n)], [cp.empty(n, 'f'), cp.empty(n, 'f')]
    ready, used = [cp.cuda.Event(), cp.cuda.Event()], [cp.cuda.Event(), cp.cuda.Event()]
    acc, out = cp.zeros(n, 'f'), pinned(n)
    sync()
    for i, d in enumerate(data):
        b = i % 2
        if host_wait:
            ready[b].synchronize()
        host[b][:] = d
        if used_wait:
            cs.wait_event(used[b])
        dev[b].data.copy_from_host_async(host[b].ctypes.data, 4 * n, cs)
        ready[b].record(cs)
        if ready_wait:
            ks.wait_event(ready[b])
        with ks:
            cp.add(acc, dev[b], out=acc)
        used[b].record(ks)
    acc.data.copy_to_host_async(out.ctypes.data, 4 * n, ks)
    if result_wait:
        ks.synchronize()
    return (out == sum(data)).all()


@case
def async_prefetch():
    shows('prefetch', prefetch, host_wait=5, ready_wait=5, used_wait=5, result_wait=5)


@case
def async_streams():
    def pool_reuse(wait):              # memory goes back to the pool while another stream uses it
        a, b = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)
        with a:
            x, y = cp.full(1000, 3, 'f'), cp.zeros(1000, 'f')
        b.wait_event(a.record())
        with b:
            cp.add(x, 1, out=y)
        if wait:
            a.wait_event(b.record())
        del x
        with a:
            z = cp.full(1000, 7, 'f')
        sync()
        return (y.get() == 4).all() and (z.get() == 7).all()
    shows('pool reuse', pool_reuse, wait=5)

    null = cp.cuda.ExternalStream(rt.streamLegacy)

    def legacy(blocking, n=1000):      # the legacy default stream orders blocking streams only
        s = cp.cuda.Stream(non_blocking=not blocking)
        x, y = cp.zeros(n, 'f'), cp.zeros(n, 'f')
        sync()
        with null:
            x += 1
        with s:
            cp.multiply(x, 2, out=y)
        with null:
            y += 1
        sync()
        return (y.get() == 3).all()
    shows('legacy stream', legacy, blocking=5)

    def staged(pageable, n=1000):      # a pageable source is read before the call returns, a pinned one later
        h, x = np.empty(n, 'f') if pageable else pinned(n), cp.zeros(n, 'f')
        h[:] = 1
        x.data.copy_from_host_async(h.ctypes.data, 4 * n, cp.cuda.Stream.null)
        h[:] = 2
        return (x.get() == 1).all()
    shows('staging', staged, pageable=5)

    def malloc_async(wait, n=1000):    # stream-ordered memory exists in its stream first
        a, b = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)
        with a, cp.cuda.using_allocator(cp.cuda.MemoryAsyncPool().malloc):
            x = cp.empty(n, 'f')
        if wait:
            b.wait_event(a.record())
        with b:
            x[...] = 5
        sync()
        return (x.get() == 5).all()
    shows('malloc async', malloc_async, wait=5)

    def callback(wait):
        s, got = cp.cuda.Stream(non_blocking=True), []
        s.launch_host_func(lambda a: got.append(a), 1)
        if wait:
            s.synchronize()
        return got == [1]
    shows('host function', callback, wait=5)
    with cudaemu.modes(async_=1):      # polling ends
        s = cp.cuda.Stream(non_blocking=True)
        e = s.record(); n = 0
        while not e.done:
            n += 1
        assert n < 50
        s.launch_host_func(lambda a: None, 0)
        for i in range(3000):          # more than the queue holds
            with s:
                cp.add(e1 := cp.zeros(4, 'f'), 1, out=e1)
        assert (e1.get(stream=s) == 1).all()


@case
def async_graphs():
    x, y, u = (cp.zeros(256, 'f') for _ in range(3))
    t = cp.cuda.Stream(non_blocking=True)

    def branches(joined):              # two branches of a graph, the second needs the first
        e1, e2 = cp.cuda.Event(), cp.cuda.Event()
        x[...] = 1; y[...] = 0; sync()

        def f(s):
            if joined:
                cp.add(x, 1, out=x)
            e1.record(s); t.wait_event(e1)
            with t:
                cp.multiply(x, 10, out=y)
            if not joined:
                cp.add(x, 1, out=x)
            e2.record(t); s.wait_event(e2)
        g, s = _capture(f)
        g.launch(s); s.synchronize()
        return (y.get() == 20).all()
    shows('graph branches', branches, joined=5)
    g, s = _capture(lambda s: cp.add(u, x, out=u))

    def inputs(wait, n=5):             # a graph's input overwritten while it may still run
        u[...] = 0; sync()
        for i in range(n):
            if wait:
                t.wait_event(s.record())
            with t:
                x[...] = i
            if wait:
                s.wait_event(t.record())
            g.launch(s)
        s.synchronize()
        return (u.get() == sum(range(n))).all()
    shows('graph input', inputs, wait=5)


ORDER = r'''
extern "C" __global__ void chain(int* o) { int b = blockIdx.x; if (threadIdx.x == 0) o[b] = b ? o[b - 1] + 1 : 1; }
extern "C" __global__ void number(int* o) { int b = blockIdx.x; if (threadIdx.x == 0) o[b] = b + 1; }
template <bool SYNC> __device__ void shift(const float* x, float* o) {
    __shared__ float s[256];
    int t = threadIdx.x;
    s[t] = x[t];
    if (SYNC) __syncthreads();
    o[t] = s[t ? t - 1 : 0];
}
extern "C" __global__ void shift_sync(const float* x, float* o) { shift<true>(x, o); }
extern "C" __global__ void shift_bare(const float* x, float* o) { shift<false>(x, o); }
extern "C" __global__ void accum(const float* x, float* o, int init) {
    extern __shared__ float d[]; __shared__ float s[256]; int t = threadIdx.x;
    if (init) s[t] = d[t] = 0;
    s[t] += x[t]; d[t] += x[t]; o[t] = s[t] + d[t];
}
extern "C" __global__ void atomic(const float* x, float* o) { atomicAdd(o, x[blockIdx.x * blockDim.x + threadIdx.x]); }
extern "C" __global__ void plain(const float* x, float* o) { *o += x[blockIdx.x * blockDim.x + threadIdx.x]; }
extern "C" __global__ void flag(int* o) { o[0] = 1; }
extern "C" __global__ void lastblock(const float* x, volatile float* part, unsigned* count, float* o) {
    __shared__ bool last;
    if (threadIdx.x == 0) { part[blockIdx.x] = x[blockIdx.x]; __threadfence(); last = atomicAdd(count, 1u) == gridDim.x - 1; }
    __syncthreads();
    if (last && threadIdx.x == 0) { float s = 0; for (int i = 0; i < gridDim.x; i++) s += part[i]; *o = s; }
}
'''


@case
def shuffled_order():
    mod = cp.RawModule(code=ORDER)
    k = mod.get_function
    x = cp.asarray(rnd(256)); o, i = cp.empty(256, 'f'), cp.empty(20, 'i')

    def blocks(independent):
        i.fill(0)
        k('number' if independent else 'chain')((20,), (32,), (i,))
        return (i.get() == np.arange(20) + 1).all()
    shows('block order', blocks, mode='shuffle', independent=10)

    def barrier(syncthreads):
        k('shift_sync' if syncthreads else 'shift_bare')((1,), (256,), (x, o))
        return (o.get() == x.get()[[0] + list(range(255))]).all()
    shows('barrier', barrier, mode='shuffle', syncthreads=10)

    def shared(init):
        k('accum')((1,), (256,), (x, o, np.int32(init)), shared_mem=1024)
        return (o.get() == x.get() * 2).all()
    shows('shared memory', shared, mode='shuffle', init=20)
    big, sums = cp.asarray(rnd(4096)), set()
    for seed in SEEDS:
        with cudaemu.modes(shuffle=seed):
            a = cp.zeros(1, 'f')
            k('atomic')((16,), (256,), (big, a))
            sums.add(float(a[0]))
    assert len(sums) > 5 and max(sums) - min(sums) < 1e-2, sums


RACES = '''
import cupy as cp, numpy as np, cudaemu, sys
sys.path.insert(0, %r)
import selftest
def n(src, name, grid, block, *args, **k):
    before = cudaemu.races()
    cp.RawModule(code=src).get_function(name)(grid, block, args, **k); selftest.sync()
    return cudaemu.races() - before
x, o, i = cp.arange(5120, dtype='f'), cp.zeros(256, 'f'), cp.zeros(64, 'i')
bad = [n(selftest.ORDER, 'chain', (8,), (32,), i), n(selftest.ORDER, 'shift_bare', (1,), (256,), x, o), n(selftest.ORDER, 'plain', (1,), (64,), x, o), n(selftest.ORDER, 'plain', (8,), (1,), x, o)]
assert bad == [1] * 4, bad
good = [n(selftest.ORDER, 'shift_sync', (3,), (256,), x, cp.zeros(256, 'f')), n(selftest.ORDER, 'atomic', (3,), (256,), x, o), n(selftest.ORDER, 'flag', (3,), (64,), i),
        n(selftest.ORDER, 'number', (8,), (32,), i), n(selftest.SRC, 'blocksum', (20,), (256,), x, o, np.int32(5000)),
        n(selftest.SRC, 'warpsum', (20,), (256,), x, o, np.int32(5000), shared_mem=128), n(selftest.CG, 'tiles', (1,), (64,), i),
        n(selftest.ORDER, 'lastblock', (8,), (32,), x, cp.zeros(8, 'f'), cp.zeros(1, 'I'), o)]
assert good == [0] * 8, good
before = cudaemu.races()
y = cp.asarray(np.random.rand(30, 40)); y.sum(); y.sum(0); y.max(1); cp.sort(y); (y + y.T[:1, :30].T).cumsum(); y.argmax(); y @ y.T; selftest.sync()
assert cudaemu.races() == before
lost = set()
for seed in range(1, 11):
    with cudaemu.modes(shuffle=seed):
        a = cp.zeros(1, 'f'); n(selftest.ORDER, 'plain', (1,), (64,), cp.ones(64, 'f'), a); lost.add(float(a[0]))
assert len(lost) > 2, lost
print('races ok', sorted(lost))
'''


@case
def racecheck():
    import os
    import subprocess
    r = subprocess.run([sys.executable, '-c', RACES % os.path.dirname(os.path.abspath(__file__))], env=dict(os.environ, CUDAEMU_RACECHECK='1'), capture_output=True, text=True)
    assert 'races ok' in r.stdout and 'RACECHECK: kernel plain' in r.stderr, (r.stdout, r.stderr[-1500:])


ROUNDING = r'''
import cupy as cp, numpy as np
from cupy_backends.cuda.libs import cublas
x = cp.linspace(-3, 3, 1000, dtype='f')
y, right = cp.exp(x).get(), np.exp(x.get().astype('d'))
off = abs(y - right) / np.spacing(right.astype('f'))
assert 1 < off.max() < 3 and (cp.exp(x).get() == y).all() and cp.tanh(x * 9).max() == 1, off.max()
assert cp.exp(cp.zeros(1, 'f'))[0] == 1 and cp.power(cp.full(1, 3, 'f'), cp.full(1, 2, 'f'))[0] == 9
assert (cp.full(3, 1e-30, 'f') * cp.float32(1e-10)).get().tolist() == [0] * 3
b = cp.full(1, 1 + 2**-12, 'f')
fma = lambda *o: cp.ElementwiseKernel('float32 a, float32 c', 'float32 y', 'y = a * a + c', 'fma_%d' % len(o), options=o)(b, -(b * b))[0]
assert fma() == 2**-24 and fma('--fmad=false') == 0
a, c = cp.full((2, 2048), 8, 'e'), cp.full((2048, 2), 8, 'e')
c[1024:] = -8
assert not np.isfinite(cp.dot(a, c).get()).any()      # a sum of halves overflows
h = cp.cuda.get_cublas_handle()
cublas.setMathMode(h, 16)
assert (cp.dot(a, c).get() == 0).all()
k = cp.RawKernel('extern "C" __global__ void m(char* p) { *(int*)p = 1; }', 'm')
try:
    k((1,), (1,), (cp.zeros(9, 'b')[1:],))
    cp.cuda.Device().synchronize()
except Exception as e:
    assert 'MISALIGNED' in str(e).upper(), str(e)
    print('rounding ok')
'''


@case
def rounding():
    import os
    import subprocess
    r = subprocess.run([sys.executable, '-c', ROUNDING], env=dict(os.environ, CUDAEMU_ROUNDING='1', CUDAEMU_ASYNC='0'), capture_output=True, text=True)
    assert 'rounding ok' in r.stdout, (r.stdout, r.stderr[-1500:])


def main():
    word = sys.argv[sys.argv.index('-k') + 1] if '-k' in sys.argv else ''
    ok = bad = 0
    t0 = time.time()
    for f in CASES:
        if word not in f.__name__:
            continue
        t = time.time()
        try:
            f()
            ok += 1
            print('ok   %-20s %6.2fs' % (f.__name__, time.time() - t), flush=True)
        except Exception:
            bad += 1
            print('FAIL %-20s' % f.__name__)
            traceback.print_exc(limit=-6, file=sys.stdout)
            sys.stdout.flush()
            cudaemu.clear_error()
    print('%d passed, %d failed (%.1f s)' % (ok, bad, time.time() - t0))
    return bad != 0


if __name__ == '__main__':
    sys.exit(main())
