#include "operations.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace chladni {

namespace {

// Below this many elements one thread is done before another has woken up.
constexpr int64_t kGrain = 16384;

int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Memory that is written before it is read, so it isn't cleared.
template <class T>
std::unique_ptr<T[]> uninitialized(int64_t count) {
  return std::unique_ptr<T[]>(new T[static_cast<size_t>(count > 0 ? count : 1)]);
}

// Cuts [0, n) into runs; where the cuts fall does not matter to elementwise work.
template <class Work>
void parallelRuns(const Machine& machine, int64_t n, const Work& work) {
  machine.pool->run(ceilDivide(n, kGrain), 0, [&](int64_t unit, float*) {
    const int64_t start = unit * kGrain;
    work(start, smaller(kGrain, n - start));
  });
}

}  // namespace

void runField(const Machine& machine, const FieldArgs& args) {
  FieldPlan plan{};
  machine.kernels->fieldPlan(&args, &plan);
  const int64_t units = args.fields * plan.chunksPerField;
  auto partials = uninitialized<float>(units * plan.partialFloats);
  auto losses = uninitialized<double>(units);
  plan.partials = partials.get();
  plan.partialLosses = losses.get();
  machine.pool->run(units, plan.scratchFloats,
                    [&](int64_t unit, float* scratch) { machine.kernels->fieldUnit(&args, &plan, unit, scratch); });
  if (args.mode == FieldMode::Forward) return;
  if (plan.partialFloats == 0) {
    for (int64_t field = 0; field < args.fields; field++) machine.kernels->fieldReduce(&args, &plan, field);
    return;
  }
  machine.pool->run(args.fields, 0, [&](int64_t field, float*) { machine.kernels->fieldReduce(&args, &plan, field); });
}

namespace {

// A product with a small result and a long shared dimension: cut along that, the parts then added in order.
constexpr int64_t kSmallResult = 65536, kLongDepth = 2048, kDepthPart = 576;

void gemmInParts(const Machine& machine, GemmArgs args) {
  // Where B must be transposed and A is the smaller, Cᵀ = B·Aᵀ packs less.
  const bool swapped = args.transposeB && !args.transposeA && args.m < args.n;
  const int64_t m = args.m, n = args.n;
  if (swapped) {
    std::swap(args.a, args.b);
    std::swap(args.lda, args.ldb);
    std::swap(args.m, args.n);
  }
  const int64_t parts = ceilDivide(args.k, kDepthPart);
  auto partials = uninitialized<float>((parts + 1) * m * n);
  const auto part = [&](int64_t index) {
    GemmArgs sub = args;
    const int64_t first = index * kDepthPart;
    sub.a += args.transposeA ? first * args.lda : first;
    sub.b += args.transposeB ? first : first * args.ldb;
    sub.k = smaller(kDepthPart, args.k - first);
    sub.c = partials.get() + index * m * n;
    return sub;
  };
  GemmPlan plan{};
  const GemmArgs whole = part(0);
  machine.kernels->gemmPlan(&whole, &plan);
  const int64_t blocks = plan.rowBlocks * plan.columnBlocks;
  machine.pool->run(parts * blocks, plan.scratchFloats, [&](int64_t unit, float* scratch) {
    const GemmArgs sub = part(unit / blocks);
    machine.kernels->gemmUnit(&sub, &plan, unit % blocks, scratch);
  });
  std::vector<const float*> terms;
  for (int64_t i = 0; i < parts; i++) terms.push_back(partials.get() + i * m * n);
  float* sum = swapped ? partials.get() + parts * m * n : args.c;
  runAddN(machine, terms.data(), parts, sum, m * n);
  if (swapped) machine.kernels->transpose(sum, m, args.c, n, n, m);
}

}  // namespace

void runGemm(const Machine& machine, const GemmArgs& args) {
  if (args.batch == 1 && args.m * args.n <= kSmallResult && args.k >= kLongDepth) return gemmInParts(machine, args);
  GemmPlan plan{};
  machine.kernels->gemmPlan(&args, &plan);
  machine.pool->run(args.batch * plan.rowBlocks * plan.columnBlocks, plan.scratchFloats,
                    [&](int64_t unit, float* scratch) { machine.kernels->gemmUnit(&args, &plan, unit, scratch); });
}

void runConv(const Machine& machine, const ConvArgs& args, int32_t kind) {
  ConvPlan plan{};
  machine.kernels->convPlan(&args, kind, &plan);
  const int64_t filter = args.kernelHeight * args.kernelWidth * args.channels * args.outChannels;
  auto partials = uninitialized<float>(kind == 2 ? plan.units * filter : 0);
  plan.partials = partials.get();
  machine.pool->run(plan.units, plan.scratchFloats, [&](int64_t unit, float* scratch) {
    machine.kernels->convUnit(&args, &plan, kind, unit, scratch);
  });
  if (kind != 2) return;
  std::vector<const float*> terms;
  for (int64_t unit = 0; unit < plan.units; unit++) terms.push_back(plan.partials + unit * filter);
  if (terms.empty()) std::memset(args.out, 0, static_cast<size_t>(filter) * 4);
  else runAddN(machine, terms.data(), plan.units, args.out, filter);
}

void runUnary(const Machine& machine, Unary op, const float* x, float* y, int64_t n, float p0, float p1) {
  parallelRuns(machine, n, [&](int64_t at, int64_t count) { machine.kernels->unary(op, x + at, y + at, count, p0, p1); });
}

void runAddN(const Machine& machine, const float* const* terms, int64_t count, float* y, int64_t n) {
  parallelRuns(machine, n, [&](int64_t at, int64_t here) {
    std::vector<const float*> moved(terms, terms + count);
    for (auto& term : moved) term += at;
    machine.kernels->addRows(moved.data(), count, y + at, here);
  });
}

namespace {

// Merges neighbouring dimensions that every operand walks alike, so that inner runs are as long as they can be.
int collapse(int rank, const int64_t* shape, const int64_t* const* strides, int operands, int64_t* outShape,
             int64_t (*outStrides)[kMaxRank + 1]) {
  int count = 0;
  for (int d = 0; d < rank; d++) {
    if (shape[d] == 1) continue;
    bool merges = count > 0;
    for (int o = 0; o < operands && merges; o++) merges = outStrides[o][count - 1] == strides[o][d] * shape[d];
    if (merges) count--;
    outShape[count] = (merges ? outShape[count] : 1) * shape[d];
    for (int o = 0; o < operands; o++) outStrides[o][count] = strides[o][d];
    count++;
  }
  if (count == 0) {
    outShape[0] = 1;
    for (int o = 0; o < operands; o++) outStrides[o][0] = 1;
    count = 1;
  }
  return count;
}

// Calls work(offsets of each operand) for the runs [first, first + count) along all but the last `inner` dimensions.
template <int Operands, class Work>
void forRuns(int rank, const int64_t* shape, const int64_t (*strides)[kMaxRank + 1], int64_t first, int64_t count,
             const Work& work) {
  int64_t index[kMaxRank + 1] = {};
  int64_t offsets[Operands] = {};
  for (int d = rank - 1; d >= 0; d--) {
    index[d] = first % shape[d];
    first /= shape[d];
    for (int o = 0; o < Operands; o++) offsets[o] += index[d] * strides[o][d];
  }
  for (int64_t run = 0; run < count; run++) {
    work(offsets);
    for (int d = rank - 1; d >= 0; d--) {
      for (int o = 0; o < Operands; o++) offsets[o] += strides[o][d];
      if (++index[d] < shape[d]) break;
      for (int o = 0; o < Operands; o++) offsets[o] -= strides[o][d] * shape[d];
      index[d] = 0;
    }
  }
}

template <int Operands, class Work>
void parallelForRuns(const Machine& machine, int rank, const int64_t* shape, const int64_t (*strides)[kMaxRank + 1],
                     int64_t runElements, const Work& work) {
  int64_t runs = 1;
  for (int d = 0; d < rank; d++) runs *= shape[d];
  const int64_t runsPerUnit = kGrain / (runElements > 0 ? runElements : 1) + 1;
  machine.pool->run(ceilDivide(runs, runsPerUnit), 0, [&](int64_t unit, float*) {
    const int64_t first = unit * runsPerUnit;
    forRuns<Operands>(rank, shape, strides, first, smaller(runsPerUnit, runs - first), work);
  });
}

}  // namespace

void runBinary(const Machine& machine, Binary op, int rank, const int64_t* fullShape, const float* a,
               const int64_t* strideA, const float* b, const int64_t* strideB, float* y) {
  int64_t strideY[kMaxRank], elements = 1;
  for (int d = rank - 1; d >= 0; d--) {
    strideY[d] = elements;
    elements *= fullShape[d];
  }
  if (elements == 0) return;
  const int64_t* all[3] = {strideA, strideB, strideY};
  int64_t shape[kMaxRank + 1], strides[3][kMaxRank + 1];
  int dims = collapse(rank, fullShape, all, 3, shape, strides);
  if (dims == 1) {
    // One long run: cut it, so that threads can share it.
    const bool aScalar = strides[0][0] == 0, bScalar = strides[1][0] == 0;
    parallelRuns(machine, shape[0], [&](int64_t at, int64_t n) {
      machine.kernels->binary(op, a + (aScalar ? 0 : at), aScalar, b + (bScalar ? 0 : at), bScalar, y + at, n);
    });
    return;
  }
  dims--;
  const int64_t n = shape[dims];
  const bool aScalar = strides[0][dims] == 0, bScalar = strides[1][dims] == 0;
  parallelForRuns<3>(machine, dims, shape, strides, n, [&](const int64_t* at) {
    machine.kernels->binary(op, a + at[0], aScalar, b + at[1], bScalar, y + at[2], n);
  });
}

void runStridedCopy(const Machine& machine, int rank, const int64_t* fullShape, const float* x, const int64_t* strideX,
                    float* y, const int64_t* strideY) {
  for (int d = 0; d < rank; d++)
    if (fullShape[d] == 0) return;
  const int64_t* all[2] = {strideX, strideY};
  int64_t shape[kMaxRank + 1], strides[2][kMaxRank + 1];
  int dims = collapse(rank, fullShape, all, 2, shape, strides);
  // A transposed pair of dimensions goes through the cache in blocks.
  for (int d = 0; d + 1 < dims; d++) {
    const int last = dims - 1;
    if (strides[0][d] != 1 || strides[1][last] != 1) continue;
    const int64_t columns = shape[d], rows = shape[last], ldx = strides[0][last], ldy = strides[1][d];
    if (ldx == 0) break;
    // What is left of the shape: all dimensions but these two.
    int64_t outer[kMaxRank + 1], outerStrides[2][kMaxRank + 1];
    int outerDims = 0;
    for (int e = 0; e < dims; e++) {
      if (e == d || e == last) continue;
      outer[outerDims] = shape[e];
      outerStrides[0][outerDims] = strides[0][e];
      outerStrides[1][outerDims] = strides[1][e];
      outerDims++;
    }
    int64_t outerRuns = 1;
    for (int e = 0; e < outerDims; e++) outerRuns *= outer[e];
    constexpr int64_t strip = 64;
    const int64_t strips = ceilDivide(columns, strip);
    const int64_t perUnit = kGrain / (rows * smaller(strip, columns)) + 1;
    machine.pool->run(ceilDivide(outerRuns * strips, perUnit), 0, [&](int64_t unit, float*) {
      for (int64_t i = unit * perUnit; i < smaller((unit + 1) * perUnit, outerRuns * strips); i++) {
        const int64_t first = i % strips * strip;
        int64_t run = i / strips, fromAt = first, toAt = first * ldy;
        for (int e = outerDims - 1; e >= 0; e--) {
          fromAt += run % outer[e] * outerStrides[0][e];
          toAt += run % outer[e] * outerStrides[1][e];
          run /= outer[e];
        }
        machine.kernels->transpose(x + fromAt, ldx, y + toAt, ldy, rows, smaller(strip, columns - first));
      }
    });
    return;
  }
  const bool contiguous = strides[0][dims - 1] == 1 && strides[1][dims - 1] == 1;
  if (contiguous && dims == 1) {
    parallelRuns(machine, shape[0], [&](int64_t at, int64_t n) { machine.kernels->copy(x + at, y + at, n); });
    return;
  }
  dims--;
  const int64_t n = shape[dims], sx = strides[0][dims], sy = strides[1][dims];
  parallelForRuns<2>(machine, dims, shape, strides, n, [&](const int64_t* at) {
    const float* from = x + at[0];
    float* to = y + at[1];
    if (sx == 1 && sy == 1) machine.kernels->copy(from, to, n);
    else
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[i * sx];
  });
}

void runSum(const Machine& machine, const float* x, float* y, int64_t outer, int64_t reduce, int64_t inner, float scale) {
  // A long sum with few results is cut into chunks of fixed length, whose sums are then added in order.
  const int64_t chunk = inner >= 4096 ? 256 : ceilDivide(65536, inner);
  if (outer < 16 && reduce > 2 * chunk) {
    const int64_t chunks = ceilDivide(reduce, chunk);
    auto partial = uninitialized<float>(outer * chunks * inner);
    machine.pool->run(outer * chunks, 0, [&](int64_t unit, float*) {
      const int64_t o = unit / chunks, first = unit % chunks * chunk;
      machine.kernels->sum(x + (o * reduce + first) * inner, partial.get() + unit * inner, smaller(chunk, reduce - first),
                           inner, 1);
    });
    for (int64_t o = 0; o < outer; o++)
      machine.kernels->sum(partial.get() + o * chunks * inner, y + o * inner, chunks, inner, scale);
    return;
  }
  const int64_t perUnit = kGrain / (reduce * inner > 0 ? reduce * inner : 1) + 1;
  machine.pool->run(ceilDivide(outer, perUnit), 0, [&](int64_t unit, float*) {
    for (int64_t o = unit * perUnit; o < smaller((unit + 1) * perUnit, outer); o++)
      machine.kernels->sum(x + o * reduce * inner, y + o * inner, reduce, inner, scale);
  });
}

void runAdam(const Machine& machine, float* p, float* m, float* v, const float* g, int64_t n, float stepSize, double beta1,
             double beta2, float epsilon, float inverseRootCorrection) {
  parallelRuns(machine, n, [&](int64_t at, int64_t count) {
    machine.kernels->adam(p + at, m + at, v + at, g + at, count, stepSize, beta1, beta2, epsilon, inverseRootCorrection);
  });
}

void runEma(const Machine& machine, float* average, const float* value, int64_t n, double decay) {
  parallelRuns(machine, n, [&](int64_t at, int64_t count) { machine.kernels->ema(average + at, value + at, count, decay); });
}

void runGather(const Machine& machine, const float* x, const int32_t* indices, float* y, int64_t outer, int64_t tableRows,
               int64_t rows, int64_t inner) {
  const int64_t perUnit = kGrain / (inner > 0 ? inner : 1) + 1;
  machine.pool->run(ceilDivide(outer * rows, perUnit), 0, [&](int64_t unit, float*) {
    for (int64_t i = unit * perUnit; i < smaller((unit + 1) * perUnit, outer * rows); i++)
      machine.kernels->copy(x + (i / rows * tableRows + indices[i % rows]) * inner, y + i * inner, inner);
  });
}

void runScatterAdd(const Machine& machine, const float* x, const int32_t* indices, float* y, int64_t rows, int64_t inner) {
  // Cut along the rows' elements, so that every sum is made in the order of the indices.
  parallelRuns(machine, inner, [&](int64_t at, int64_t count) {
    for (int64_t i = 0; i < rows; i++) {
      float* to = y + indices[i] * inner + at;
      machine.kernels->binary(Binary::Add, to, false, x + i * inner + at, false, to, count);
    }
  });
}

namespace {

// Calls work(waves) with the waves of a grid's columns and of the rows [firstRow, endRow).
template <class Work>
void withWaves(const Machine& machine, const Grid& grid, int64_t firstRow, int64_t endRow, const Work& work) {
  const int64_t positions = grid.width + endRow - firstRow;
  auto sine = uninitialized<float>(positions * grid.count), cosine = uninitialized<float>(positions * grid.count);
  const int64_t perUnit = 4096 / (grid.count > 0 ? grid.count : 1) + 1;
  machine.pool->run(ceilDivide(positions, perUnit), 0, [&](int64_t unit, float*) {
    for (int64_t i = unit * perUnit; i < smaller((unit + 1) * perUnit, positions); i++) {
      const bool isColumn = i < grid.width;
      machine.kernels->waves(isColumn ? grid.xs + i : grid.ys + firstRow + i - grid.width, 1,
                             grid.frequencies + (isColumn ? 0 : 1), isColumn ? nullptr : grid.gains, grid.count,
                             sine.get() + i * grid.count, cosine.get() + i * grid.count);
    }
  });
  work(GridWaves{grid.width, firstRow, grid.count, sine.get(), cosine.get()});
}

}  // namespace

void runGrid(const Machine& machine, const Grid& grid, const int32_t* indices, int64_t first, int64_t pixels,
             float* features) {
  const int64_t firstRow = indices ? 0 : first / grid.width;
  const int64_t endRow = indices ? grid.height : smaller(grid.height, ceilDivide(first + pixels, grid.width));
  withWaves(machine, grid, firstRow, endRow, [&](const GridWaves& waves) {
    const int64_t perUnit = 4 * kGrain / (2 * grid.count + 1) + 1;
    machine.pool->run(ceilDivide(pixels, perUnit), 0, [&](int64_t unit, float*) {
      for (int64_t p = unit * perUnit; p < smaller((unit + 1) * perUnit, pixels); p++)
        machine.kernels->gridPixel(&waves, indices ? indices[p] : first + p, features + 2 * p * grid.count);
    });
  });
}

void runFieldOnGrid(const Machine& machine, FieldArgs args, const Grid& grid, int64_t first) {
  const int64_t endRow = smaller(grid.height, ceilDivide(first + args.points, grid.width));
  withWaves(machine, grid, first / grid.width, endRow, [&](const GridWaves& waves) {
    args.grid = &waves;
    args.firstPixel = first;
    runField(machine, args);
  });
}

namespace {
double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
}  // namespace

double measureFma(const Machine& machine, double seconds) {
  const int threads = machine.pool->threads();
  std::vector<double> done(threads * 8, 0.0);
  // Each round takes about a millisecond; the fastest counts, because the limit is what the machine can do.
  double best = 0;
  const auto start = std::chrono::steady_clock::now();
  do {
    const auto begin = std::chrono::steady_clock::now();
    machine.pool->run(threads, 0, [&](int64_t unit, float*) {
      float sink[2] = {0.999999f, 1e-6f};
      done[unit * 8] = machine.kernels->fmaLoop(200000, sink);
      if (sink[0] == 12345.0f) done[unit * 8] = 0;
    });
    const double rate = done[0] * threads / secondsSince(begin);
    if (rate > best) best = rate;
  } while (secondsSince(start) < seconds);
  return best;
}

double measureCopy(const Machine& machine, int64_t floats, double seconds) {
  auto x = uninitialized<float>(floats), y = uninitialized<float>(floats);
  std::memset(x.get(), 0, static_cast<size_t>(floats) * 4);
  std::memset(y.get(), 0, static_cast<size_t>(floats) * 4);
  double best = 0;
  int round = 0;
  const auto start = std::chrono::steady_clock::now();
  do {
    const auto begin = std::chrono::steady_clock::now();
    const int64_t share = ceilDivide(floats, machine.pool->threads());
    machine.pool->run(machine.pool->threads(), 0, [&](int64_t unit, float*) {
      // By turns the library's copy and a plain loop of vectors: which is faster depends on the machine.
      const int64_t at = unit * share, n = smaller(share, floats - at);
      if (round % 2 == 0) machine.kernels->copy(x.get() + at, y.get() + at, n);
      else machine.kernels->unary(Unary::Neg, x.get() + at, y.get() + at, n, 0, 0);
    });
    round++;
    const double rate = 8.0 * static_cast<double>(floats) / secondsSince(begin);
    if (rate > best) best = rate;
  } while (secondsSince(start) < seconds);
  return best;
}

}  // namespace chladni
