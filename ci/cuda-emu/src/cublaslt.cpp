// cuBLASLt on the host: products of float32 and halves (also of halves to float32) with the epilogues BIAS,
// RELU, RELU_BIAS, RELU_AUX_BIAS, BGRADA and DRELU_BGRAD.
// A cuBLAS handle serves as a cuBLASLt handle, as with NVIDIA's.
#include "cublas.h"
#include "cublaslt.h"
#include <cmath>
#include <map>
using namespace emu;
struct Field { int attribute; size_t offset, size; };
struct Desc { int compute = 0, scale = 0, pointer_mode = 0, ta = 0, tb = 0; uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT; void *bias = nullptr, *aux = nullptr; int64_t bias_step = 0, aux_ld = 0; };
struct Layout { uint32_t type; uint64_t rows, cols; int64_t ld; int32_t count = 1; int64_t step = 0; };
struct Preference { uint64_t workspace = 0; uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK; uint32_t align[4] = {256, 256, 256, 256}; };
struct Algo { uint64_t magic, workspace; uint32_t align[4], bias_align, in_halves; };     // in the 64 bytes of a cublasLtMatmulAlgo_t
static_assert(sizeof(Algo) <= sizeof(cublasLtMatmulAlgo_t) && sizeof(Desc) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t) && sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static const uint64_t MAGIC = 0xB1A517;
#define AT(T, attribute, member) {attribute, offsetof(T, member), sizeof(T::member)}
static const std::vector<Field> DESC = {
  AT(Desc, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, compute), AT(Desc, CUBLASLT_MATMUL_DESC_SCALE_TYPE, scale), AT(Desc, CUBLASLT_MATMUL_DESC_POINTER_MODE, pointer_mode),
  AT(Desc, CUBLASLT_MATMUL_DESC_TRANSA, ta), AT(Desc, CUBLASLT_MATMUL_DESC_TRANSB, tb), AT(Desc, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue),
  AT(Desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias), AT(Desc, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, bias_step),
  AT(Desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aux), AT(Desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, aux_ld)};
static const std::vector<Field> LAYOUT = {
  AT(Layout, CUBLASLT_MATRIX_LAYOUT_TYPE, type), AT(Layout, CUBLASLT_MATRIX_LAYOUT_ROWS, rows), AT(Layout, CUBLASLT_MATRIX_LAYOUT_COLS, cols), AT(Layout, CUBLASLT_MATRIX_LAYOUT_LD, ld),
  AT(Layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count), AT(Layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, step)};
static const std::vector<Field> PREFERENCE = {
  AT(Preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace), AT(Preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions), AT(Preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, align[0]), AT(Preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, align[1]),
  AT(Preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, align[2]), AT(Preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, align[3])};

// sizes must be exact, as with the real library
static cublasStatus_t access(const std::vector<Field> &fields, void *of, int attribute, const void *from, void *to, size_t n, const char *what) {
  for (auto &f : fields) if (f.attribute == attribute) {
    if (!of || n != f.size) return CUBLAS_STATUS_INVALID_VALUE;
    if (to) memcpy(to, (char *)of + f.offset, n); else if (from) memcpy((char *)of + f.offset, from, n); else return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
  }
  note("%s: attribute %d is not emulated", what, attribute);
  return CUBLAS_STATUS_INVALID_VALUE;
}
#define ATTRIBUTES(NAME, HANDLE, KIND, FIELDS) \
  EXPORT cublasStatus_t cublasLt##NAME##SetAttribute(HANDLE of, KIND attribute, const void *from, size_t n) { return access(FIELDS, of, attribute, from, nullptr, n, #NAME); } \
  EXPORT cublasStatus_t cublasLt##NAME##GetAttribute(HANDLE of, KIND attribute, void *to, size_t n, size_t *written) { \
    cublasStatus_t s = access(FIELDS, of, attribute, nullptr, to, n, #NAME); if (!s && written) *written = n; return s; } \
  EXPORT cublasStatus_t cublasLt##NAME##Destroy(HANDLE of) { free((void *)of); return CUBLAS_STATUS_SUCCESS; }
ATTRIBUTES(MatmulDesc, cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, DESC)
ATTRIBUTES(MatrixLayout, cublasLtMatrixLayout_t, cublasLtMatrixLayoutAttribute_t, LAYOUT)
ATTRIBUTES(MatmulPreference, cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, PREFERENCE)
template <class Opaque, class T> static cublasStatus_t made(Opaque **p, const T &value) {
  *p = (Opaque *)calloc(1, sizeof(Opaque));
  memcpy((void *)*p, &value, sizeof value);
  return CUBLAS_STATUS_SUCCESS;
}
EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute, cudaDataType_t scale) { Desc x; x.compute = compute; x.scale = scale; return made(d, x); }
EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld) { return made(l, Layout{(uint32_t)type, rows, cols, ld}); }
EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p) { return made(p, Preference()); }

template <class T, class P> static const T *in(P p) { return (const T *)(const void *)p; }
static uint32_t alignment(const void *p) { return (uint32_t)std::min<uintptr_t>((uintptr_t)p & -(uintptr_t)p, 256); }
static bool fits(const Layout &l, uint64_t rows, uint64_t cols) { return l.rows == rows && l.cols == cols && l.ld >= (int64_t)rows; }
static cublasStatus_t check(const void *h, const Desc *d, const Layout *a, const Layout *b, const Layout *c, const Layout *o) {
  if (!h || ((const Handle *)h)->magic != 0xB1A5) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!d || !a || !b || !c || !o) return CUBLAS_STATUS_INVALID_VALUE;
  uint64_t m = o->rows, n = o->cols, k = d->ta ? a->rows : a->cols;
  if (!m || !n || !k || !fits(*a, d->ta ? k : m, d->ta ? m : k) || !fits(*b, d->tb ? n : k, d->tb ? k : n) || !fits(*o, m, n) || !fits(*c, m, n)) return CUBLAS_STATUS_INVALID_VALUE;
  for (auto *l : {b, c, o}) if (l->count != a->count || l->count < 1) return CUBLAS_STATUS_INVALID_VALUE;
  uint32_t t = a->type;
  bool wider = o->type == CUDA_R_32F && (t == CUDA_R_16F || t == CUDA_R_16BF);   // the result, and the bias with it
  if (b->type != t || c->type != o->type || (o->type != t && !wider)) { note("cublasLtMatmul: types %u, %u to %u are not emulated", t, b->type, o->type); return CUBLAS_STATUS_NOT_SUPPORTED; }
  bool single = d->compute == CUBLAS_COMPUTE_32F || (d->compute == CUBLAS_COMPUTE_32F_FAST_TF32 && t == CUDA_R_32F);
  if ((t != CUDA_R_32F && t != CUDA_R_16F && t != CUDA_R_16BF) || !single || d->scale != CUDA_R_32F || d->pointer_mode) { note("cublasLtMatmul: type %u, compute %d, scale %d, pointer mode %d are not emulated", t, d->compute, d->scale, d->pointer_mode); return CUBLAS_STATUS_NOT_SUPPORTED; }
  const bool masked = d->epilogue & 128, biased = d->epilogue & (4 | 16 | 256);
  if (masked && (!d->aux || (uintptr_t)d->aux % 16 || d->aux_ld % 128 || d->aux_ld < (int64_t)m)) return CUBLAS_STATUS_INVALID_VALUE;
  if (masked && a->count > 1) { note("cublasLtMatmul: batches with a mask are not emulated"); return CUBLAS_STATUS_NOT_SUPPORTED; }
  if (biased && !d->bias) return CUBLAS_STATUS_INVALID_VALUE;
  switch (d->epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT: case CUBLASLT_EPILOGUE_RELU: case CUBLASLT_EPILOGUE_BIAS: case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS: case CUBLASLT_EPILOGUE_BGRADA: case CUBLASLT_EPILOGUE_DRELU_BGRAD: return CUBLAS_STATUS_SUCCESS;
  }
  note("cublasLtMatmul: epilogue %u is not emulated", d->epilogue);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t o,
                                                     cublasLtMatmulPreference_t p, int wanted, cublasLtMatmulHeuristicResult_t results[], int *found) {
  if (wanted < 1 || !p || !results || !found) return CUBLAS_STATUS_INVALID_VALUE;
  *found = 0;
  if (cublasStatus_t s = check(h, in<Desc>(d), in<Layout>(a), in<Layout>(b), in<Layout>(c), in<Layout>(o))) return s;
  const Preference &q = *in<Preference>(p);
  Algo algo = {MAGIC, std::min<uint64_t>(q.workspace, 1 << 20), {q.align[0], q.align[1], q.align[2], q.align[3]}, in<Desc>(d)->bias ? alignment(in<Desc>(d)->bias) : 1, q.reductions & (CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE)};
  memset((void *)results, 0, sizeof *results);
  memcpy((void *)&results->algo, &algo, sizeof algo);
  results->workspaceSize = algo.workspace;
  results->state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}
EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t desc, const void *alpha, const void *A, cublasLtMatrixLayout_t ad, const void *B, cublasLtMatrixLayout_t bd, const void *beta,
                                     const void *C, cublasLtMatrixLayout_t cd, void *D, cublasLtMatrixLayout_t dd, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t bytes, cudaStream_t stream) {
  if (cublasStatus_t s = check(h, in<Desc>(desc), in<Layout>(ad), in<Layout>(bd), in<Layout>(cd), in<Layout>(dd))) return s;
  const Desc d = *in<Desc>(desc);
  const Layout a = *in<Layout>(ad), b = *in<Layout>(bd), o = *in<Layout>(dd);
  if (!alpha || !beta || is_device(alpha) || is_device(beta) || !stream_of(stream)) return CUBLAS_STATUS_INVALID_VALUE;
  if (algo) {                                            // it keeps to what it was chosen for
    const Algo &chosen = *in<Algo>(algo);
    const void *at[4] = {A, B, C, D};
    bool ok = chosen.magic == MAGIC && bytes >= chosen.workspace && (!chosen.workspace || workspace) && (!d.bias || alignment(d.bias) >= chosen.bias_align);
    for (int i = 0; i < 4; i++) ok = ok && alignment(at[i]) >= chosen.align[i];
    if (!ok) { note("cublasLtMatmul: less alignment or workspace than the algorithm was chosen for"); return CUBLAS_STATUS_INVALID_VALUE; }
    if (chosen.workspace && need(workspace, chosen.workspace, "cublasLtMatmul's workspace")) return (cublasStatus_t)ST_EXEC;
  }
  const bool in_halves = algo && in<Algo>(algo)->in_halves;
  float al, be;
  memcpy(&al, alpha, 4); memcpy(&be, beta, 4);
  if (be != 0 && C != D) { note("cublasLtMatmul: C other than D is not emulated"); return CUBLAS_STATUS_NOT_SUPPORTED; }
  static const std::map<uint32_t, const char *> NAMES = {{CUBLASLT_EPILOGUE_DEFAULT, ""}, {CUBLASLT_EPILOGUE_RELU, "relu"}, {CUBLASLT_EPILOGUE_BIAS, "bias"}, {CUBLASLT_EPILOGUE_RELU_BIAS, "relu_bias"},
    {CUBLASLT_EPILOGUE_RELU_AUX_BIAS, "relu_aux_bias"}, {CUBLASLT_EPILOGUE_BGRADA, "bgrada"}, {CUBLASLT_EPILOGUE_DRELU_BGRAD, "drelu_bgrad"}};
  const std::string name = NAMES.at(d.epilogue);
  return (cublasStatus_t)status(submit(stream, Op{Op::CUBLAS, "cublasLtMatmul(" + name + ")", [=] {
    const int t = a.type, u = o.type; const size_t from = type_size(t), size = type_size(u);
    const long m = o.rows, n = o.cols, k = d.ta ? a.rows : a.cols;
    for (int i = 0; i < a.count; i++) {
      const char *x = (const char *)A + i * a.step * (long)from, *y = (const char *)B + i * b.step * (long)from, *bias = (const char *)d.bias + i * d.bias_step * (long)size;
      char *z = (char *)D + i * o.step * (long)size;
      if (d.bias && d.epilogue & (4 | 16 | 256)) if (cudaError_t e = need(bias, m * size, "cublasLtMatmul's bias")) return e;
      if (cudaError_t e = need(z, extent(m, n, o.ld) * size, "cublasLtMatmul")) return e;
      uint8_t *mask = d.epilogue & 128 ? (uint8_t *)d.aux : nullptr;  // bits: is the ReLU's argument positive?
      if (mask) if (cudaError_t e = need(mask, n * d.aux_ld / 8, "cublasLtMatmul's mask")) return e;
      std::vector<float> sums(m);
      std::vector<float> f((size_t)m * n);               // the sum stays float32 to the end
      if (be != 0) for (long q = 0; q < n; q++) for (long r = 0; r < m; r++) f[r + q * m] = load(z, r + q * o.ld, u);
      if (cudaError_t e = gemm_into(d.ta, d.tb, m, n, k, al, x, t, a.ld, y, t, b.ld, be, f.data(), m, in_halves ? u : 0)) return e;
      for (long q = 0; q < n; q++) for (long r = 0; r < m; r++) {
        float v = f[r + q * m];
        if (d.epilogue & 4) v += load(bias, r, u);
        if (mask) {
          uint8_t &byte = mask[(q * d.aux_ld + r) / 8], bit = 1 << r % 8;
          if (d.epilogue & 2) byte = v > 0 ? byte | bit : byte & ~bit;
          else if (!(byte & bit)) v = 0;
        }
        if (d.epilogue & 2) v = v < 0 ? 0 : v;             // keeps NaN
        sums[r] += v;
        store(z, r + q * o.ld, u, v);
      }
      if (d.epilogue & 16) for (long r = 0; r < m; r++) store((void *)bias, r, u, sums[r]);
      if (d.epilogue == CUBLASLT_EPILOGUE_BGRADA) for (long r = 0; r < m; r++) {
        float s = 0;
        for (long p = 0; p < k; p++) s += load(x, d.ta ? p + r * a.ld : r + p * a.ld, t);
        store((void *)bias, r, u, s);
      }
    }
    return cudaSuccess;
  }}));
}
