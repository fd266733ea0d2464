// CUDAEMU_ROUNDING: numbers as right as a GPU's, but other ones. Functions of kernels are off by as much as
// CUDA's may be, the same for the same operand, and float32 denormals are flushed as CuPy asks for.
#include "emu.h"
#include <cfloat>
#include <cmath>
#include <cstring>
#include <xmmintrin.h>

namespace emu {
static std::vector<std::string> &names() { static auto *v = new std::vector<std::string>; return *v; }
const std::vector<std::string> &rounded_functions() { return names(); }
Flushing::Flushing() : before(_mm_getcsr()) { if (cfg.rounding) _mm_setcsr(before | 0x8040); }   // flush to zero, denormals are zero
Flushing::~Flushing() { _mm_setcsr(before); }
struct Named { Named(const char *n) { names().push_back(n); } };

template <class T> static T off(T y, T x, const char *name) {
  if (!std::isfinite(y) || y == 0 || std::fabs(y) == 1 || y == x) return y;    // what is exact stays so
  uint64_t h = fnv(name, strlen(name), fnv(&x, sizeof x));
  const int most = sizeof(T) == 4 ? 2 : 1, steps = (int)((h >> 20) % (2 * most + 1));
  const T to = steps > most ? T(INFINITY) : -T(INFINITY), before = y;
  for (int i = 0; i < std::abs(steps - most); i++) y = std::nextafter(y, to);
  return std::fabs(before) < 1 && std::fabs(y) >= 1 ? before : y;               // a sine is at most 1
}
}  // namespace emu
using emu::off;
#define ONE(F) static emu::Named n_##F(#F), n_##F##f(#F "f"); \
  EXPORT double __wrap_##F(double x) { return off(::F(x), x, #F); } EXPORT float __wrap_##F##f(float x) { return off(::F##f(x), x, #F); }
ONE(exp) ONE(exp2) ONE(exp10) ONE(expm1) ONE(log) ONE(log2) ONE(log10) ONE(log1p) ONE(sin) ONE(cos) ONE(tan) ONE(asin) ONE(acos) ONE(atan)
ONE(sinh) ONE(cosh) ONE(tanh) ONE(asinh) ONE(acosh) ONE(atanh) ONE(erf) ONE(erfc) ONE(lgamma) ONE(tgamma) ONE(cbrt)
template <class T> static T off2(T z, T x, T y, const char *name) { return z == std::rint(z) ? z : off(z, x + y, name); }
#define TWO(F) static emu::Named n_##F(#F), n_##F##f(#F "f"); \
  EXPORT double __wrap_##F(double x, double y) { return off2(::F(x, y), x, y, #F); } EXPORT float __wrap_##F##f(float x, float y) { return off2(::F##f(x, y), x, y, #F); }
TWO(pow) TWO(atan2) TWO(hypot)
