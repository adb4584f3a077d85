#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "parallel.h"

namespace chladni {

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

}  // namespace chladni
