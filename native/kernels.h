// What the portable part of the addon knows of the vector kernels. `kernels.cc` is compiled once per instruction set
// and exports one table each; `dispatch.cc` chooses. Plain structs and pointers only: nothing here may instantiate
// library templates, because the linker would merge code that was compiled for different instruction sets.
#pragma once
#include <cstddef>
#include <cstdint>

namespace chladni {

enum class Activation : int32_t { Relu, LeakyRelu, Gelu, Sine, Finer, Gaussian };
enum class FieldMode : int32_t { Forward, Loss, Gradients };

constexpr float kLeakySlope = 0.2f;
constexpr int kMaxLayers = 64;

/// Waves of the columns of a grid and, after them, of its rows from `firstRow` on: [positions][count] each.
struct GridWaves {
  int64_t width, firstRow, count;
  const float *sine, *cosine;
};

/// B fields of L layers over P points. Pointers are checked against these extents before a kernel sees them.
struct FieldArgs {
  FieldMode mode;
  int32_t layers;
  int64_t widths[kMaxLayers + 1];  // features, hidden…, channels
  int32_t skip;                    // the layer that reads [hidden, features]; 0: none
  Activation activation;
  float omega;
  bool sigmoid;         // of the output; linear otherwise
  bool sharedFeatures;  // features are [P,F], not [B,P,F]
  int64_t fields, points;
  const float* kernels[kMaxLayers];  // each [B, inputsOf(l), O]
  const float* biases[kMaxLayers];   // each [B,O]
  const float* features;
  const GridWaves* grid;  // Forward: features come from pixels [firstPixel, firstPixel + P) of a grid instead
  int64_t firstPixel;
  const float* targets;                // Loss: targets [B,P,C]; Gradients: gradient of the output
  float* output;                       // Forward: [B,P,C]
  float* losses;                       // Loss: [B]
  float* kernelGradients[kMaxLayers];  // Loss, Gradients: each [B,I,O]
  float* biasGradients[kMaxLayers];
  float* featureGradients;  // Gradients: [B,P,F] or null
};

/// Number of inputs of layer l.
static inline int64_t inputsOf(const FieldArgs* f, int l) { return f->widths[l] + (l && l == f->skip ? f->widths[0] : 0); }

/// How the work is cut: by the shapes alone, so that the bits do not depend on the number of threads.
struct FieldPlan {
  int64_t tilePoints;
  int64_t chunkPoints;     // points of one unit of work, a multiple of tilePoints
  int64_t chunksPerField;  // units = fields × chunksPerField
  int64_t scratchFloats;   // per thread
  int64_t partialFloats;   // per unit, where chunksPerField > 1
  float* partials;
  double* partialLosses;  // one per unit
};

/// C[b] = op(A[b]) · op(B[b]), row-major, contiguous matrices `strideA` floats apart (0 where one serves all).
struct GemmArgs {
  int64_t batch, m, n, k;
  const float *a, *b;
  float* c;
  int64_t strideA, strideB;
  int64_t lda, ldb;             // between the rows of one matrix as it is stored
  bool transposeA, transposeB;  // A is stored [k,m], B is stored [n,k]
};

struct GemmPlan {
  int64_t rowBlock, columnBlock, rowBlocks, columnBlocks;  // units = batch × rowBlocks × columnBlocks
  int64_t scratchFloats;
};

/// NHWC convolution; `dy` is the output for Forward and the incoming gradient otherwise.
struct ConvArgs {
  int64_t images, height, width, channels, outHeight, outWidth, outChannels;
  int64_t kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, padTop, padLeft;
  const float *x, *filter, *dy;
  float* out;  // Forward: y; input gradient: dx; filter gradient: dw
};

struct ConvPlan {
  int64_t tilePixels, units, scratchFloats;
  int64_t tilesPerUnit;
  float* partials;  // filter gradient: one [KH·KW·C, O] per unit
};

enum class Unary : int32_t {
  Relu, LeakyRelu, Sigmoid, Tanh, Sin, Cos, Exp, Log, Sqrt, Rsqrt, Square, Neg, Abs, Step, Reciprocal, Sign, Erf,
  Softplus, Elu, Relu6, Clip, Count
};
enum class Binary : int32_t { Add, Sub, Mul, Div, Max, Min, SquaredDifference, Pow, Count };

struct KernelTable {
  const char* name;
  int32_t width;  // floats per vector

  void (*fieldPlan)(const FieldArgs*, FieldPlan*);
  void (*fieldUnit)(const FieldArgs*, const FieldPlan*, int64_t unit, float* scratch);
  void (*fieldReduce)(const FieldArgs*, const FieldPlan*, int64_t field);

  void (*gemmPlan)(const GemmArgs*, GemmPlan*);
  void (*gemmUnit)(const GemmArgs*, const GemmPlan*, int64_t unit, float* scratch);

  void (*convPlan)(const ConvArgs*, int32_t kind, ConvPlan*);  // 0 forward, 1 input gradient, 2 filter gradient
  void (*convUnit)(const ConvArgs*, const ConvPlan*, int32_t kind, int64_t unit, float* scratch);

  void (*unary)(Unary, const float* x, float* y, int64_t n, float p0, float p1);
  /// Either operand may be one number for the whole run.
  void (*binary)(Binary, const float* a, bool aScalar, const float* b, bool bScalar, float* y, int64_t n);
  /// y[o,i] = scale · Σ_r x[o,r,i]
  void (*sum)(const float* x, float* y, int64_t reduce, int64_t inner, float scale);
  void (*addRows)(const float* const* terms, int64_t count, float* y, int64_t n);
  void (*transpose)(const float* x, int64_t ldx, float* y, int64_t ldy, int64_t rows, int64_t columns);

  void (*adam)(float* p, float* m, float* v, const float* g, int64_t n, float stepSize, double beta1, double beta2,
               float epsilon, float inverseRootCorrection);
  void (*ema)(float* average, const float* value, int64_t n, double decay);

  void (*waves)(const double* positions, int64_t n, const double* frequencies, const double* gain, int64_t count,
                float* sine, float* cosine);
  void (*gridPixel)(const GridWaves*, int64_t pixel, float* features);

  /// Fused multiply-adds in registers alone; returns the floating-point operations done.
  double (*fmaLoop)(int64_t iterations, float* sink);
  void (*copy)(const float* x, float* y, int64_t n);
};

/// The table of the best instruction set, or of the one asked for by name; null where it is unknown or not here.
const KernelTable* selectKernels(const char* name);
/// Fills `names` with those this machine can run, best first; returns their number.
int availableKernels(const char* names[4]);

}  // namespace chladni
