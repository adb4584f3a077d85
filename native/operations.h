// Whole operations: kernels shared out over the pool's threads. Extents are the caller's responsibility (addon.cc).
#pragma once
#include "kernels.h"
#include "threadPool.h"

namespace chladni {

struct Machine {
  const KernelTable* kernels;
  ThreadPool* pool;
};

void runField(const Machine&, const FieldArgs&);
void runGemm(const Machine&, const GemmArgs&);
/// kind: 0 forward, 1 gradient of the input, 2 gradient of the filter.
void runConv(const Machine&, const ConvArgs&, int32_t kind);
void runUnary(const Machine&, Unary, const float* x, float* y, int64_t n, float p0, float p1);

constexpr int kMaxRank = 8;

/// y = a ∘ b over `shape`, row-major; strides in elements, 0 where an operand is repeated.
void runBinary(const Machine&, Binary, int rank, const int64_t* shape, const float* a, const int64_t* strideA,
               const float* b, const int64_t* strideB, float* y);
/// y[o,i] = scale · Σ_r x[o,r,i]
void runSum(const Machine&, const float* x, float* y, int64_t outer, int64_t reduce, int64_t inner, float scale);
/// Copies a strided box of 4-byte elements into another.
void runStridedCopy(const Machine&, int rank, const int64_t* shape, const float* x, const int64_t* strideX, float* y,
                    const int64_t* strideY);
void runAdam(const Machine&, float* p, float* m, float* v, const float* g, int64_t n, float stepSize, double beta1,
             double beta2, float epsilon, float inverseRootCorrection);
void runEma(const Machine&, float* average, const float* value, int64_t n, double decay);
void runAddN(const Machine&, const float* const* terms, int64_t count, float* y, int64_t n);
/// Row y[i] = x[indices[i]], or (scatter) row y[indices[i]] += x[i] in order; indices are checked by the caller.
void runGather(const Machine&, const float* x, const int32_t* indices, float* y, int64_t outer, int64_t tableRows,
               int64_t rows, int64_t inner);
void runScatterAdd(const Machine&, const float* x, const int32_t* indices, float* y, int64_t rows, int64_t inner);

/// A grid of pixels at columns xs and rows ys, and its Fourier features: `frequencies` [K,2], `gains` [K] or null.
struct Grid {
  const double *xs, *ys;
  int64_t width, height;
  const double *frequencies, *gains;
  int64_t count;
};

/// Features [pixels, 2K]: of the pixels with these row-major indices, or, where `indices` is null, of those from `first` on.
void runGrid(const Machine&, const Grid&, const int32_t* indices, int64_t first, int64_t pixels, float* features);
/// `runField`, forward, over the pixels [first, first + points) of a grid; the features exist tile by tile only.
void runFieldOnGrid(const Machine&, FieldArgs, const Grid&, int64_t first);

/// The physical limits, per second: floating-point operations in registers, bytes read and written by a copy.
double measureFma(const Machine&, double seconds);
double measureCopy(const Machine&, int64_t floats, double seconds);

}  // namespace chladni
