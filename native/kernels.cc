// The vector kernels for one instruction set: compile with -DCHLADNI_TABLE=name and the flags of that set.
// Everything here has internal linkage and no library template is instantiated: see kernels.h.
#include "kernels.h"

#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/field.h"
#include "kernels/gemm.h"

static double fmaLoop(int64_t iterations, float* sink) {
  constexpr int accumulators = kPanel == 4 ? 24 : 12;
  vf acc[accumulators];
#pragma GCC unroll 24
  for (int i = 0; i < accumulators; i++) acc[i] = splat((float)i);
  const vf factor = splat(sink[0]), term = splat(sink[1]);
  for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 24
    for (int i = 0; i < accumulators; i++) acc[i] = acc[i] * factor + term;
  }
  vf total = {};
#pragma GCC unroll 24
  for (int i = 0; i < accumulators; i++) total += acc[i];
  sink[0] = sumLanes(total);
  return 2.0 * W * accumulators * (double)iterations;
}

static void copyRun(const float* x, float* y, int64_t n) { memcpy(y, x, (size_t)n * 4); }

#define STRINGIFY(x) #x
#define NAME(x) STRINGIFY(x)
#define JOIN(a, b) a##b
#define TABLE(x) JOIN(kernelTable_, x)

namespace chladni {
extern const KernelTable TABLE(CHLADNI_TABLE);
const KernelTable TABLE(CHLADNI_TABLE) = {
    NAME(CHLADNI_TABLE), W,         fieldPlan, fieldUnit, fieldReduce,     gemmPlan, gemmUnit, convPlan, convUnit,
    unary,               binary,    sum,       addRows,   transposeMatrix, adam,     ema,      waves,    gridPixel,
    fmaLoop,             copyRun,
};
}  // namespace chladni
