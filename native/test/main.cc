// The kernels under sanitizers: every operation on every instruction set and several numbers of threads, on operands that
// are each an allocation of exactly their size. Prints what differs and exits 1. Built by native/test/sanitize.mjs.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "../operations.h"

using namespace chladni;

namespace {

using Floats = std::vector<float>;

uint32_t state = 1;
Floats random(int64_t n, float scale = 1) {
  Floats values(static_cast<size_t>(n));
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = scale * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
  }
  values.shrink_to_fit();
  return values;
}

int failures = 0;

void expectClose(const char* what, const char* set, const Floats& actual, const Floats& expected, float bound) {
  float error = 0, scale = 1e-30f;
  for (size_t i = 0; i < expected.size(); i++) {
    error = std::fmax(error, std::isfinite(actual[i]) ? std::fabs(actual[i] - expected[i]) : INFINITY);
    scale = std::fmax(scale, std::fabs(expected[i]));
  }
  if (actual.size() == expected.size() && error <= bound * scale) return;
  std::printf("%s on %s: relative error %g\n", what, set, static_cast<double>(error / scale));
  failures++;
}

/// Runs `work`, which returns its results, on everything; the first instruction set with one thread is the measure.
template <class Work>
void onEverything(const char* what, float bound, const Work& work) {
  const char* names[4];
  const int sets = availableKernels(names);
  Floats measure;
  for (int i = sets - 1; i >= 0; i--) {
    Floats single;
    for (int threads = 1; threads <= 4; threads++) {
      ThreadPool pool(threads);
      const Floats result = work(Machine{selectKernels(names[i]), &pool});
      if (measure.empty()) measure = result;
      if (single.empty()) {
        single = result;
        expectClose(what, names[i], result, measure, bound);
      } else if (std::memcmp(result.data(), single.data(), single.size() * 4) != 0) {
        std::printf("%s on %s: other bits on %d threads\n", what, names[i], threads);
        failures++;
      }
    }
  }
}

void field(std::vector<int64_t> widths, int64_t fields, int64_t points, bool shared, FieldMode mode, Activation activation,
           int32_t skip = 0) {
  FieldArgs f{};
  f.mode = mode;
  f.layers = static_cast<int32_t>(widths.size()) - 1;
  f.activation = activation;
  f.omega = 1.5f;
  f.sigmoid = true;
  f.sharedFeatures = shared;
  f.fields = fields;
  f.points = points;
  std::vector<Floats> operands;
  auto operand = [&](int64_t n, float scale) {
    operands.push_back(random(n, scale));
    return operands.back().data();
  };
  operands.reserve(2 * widths.size() + 4);
  f.skip = skip;
  for (int l = 0; l <= f.layers; l++) f.widths[l] = widths[l];
  for (int l = 0; l < f.layers; l++) {
    f.kernels[l] = operand(fields * inputsOf(&f, l) * widths[l + 1], 1.7f / std::sqrt(static_cast<float>(inputsOf(&f, l))));
    f.biases[l] = operand(fields * widths[l + 1], 0.3f);
  }
  f.features = operand((shared ? 1 : fields) * points * widths[0], 1);
  f.targets = operand(fields * points * widths.back(), 1);
  onEverything("field", 1e-4f, [&](const Machine& machine) {
    FieldArgs g = f;
    std::vector<Floats> results;
    results.reserve(2 * widths.size() + 4);
    auto result = [&](int64_t n) {
      results.emplace_back(static_cast<size_t>(n), 0.0f);
      return results.back().data();
    };
    if (mode == FieldMode::Forward) g.output = result(fields * points * widths.back());
    if (mode == FieldMode::Loss) g.losses = result(fields);
    if (mode == FieldMode::Gradients) g.featureGradients = result(fields * points * widths[0]);
    if (mode != FieldMode::Forward) {
      for (int l = 0; l < f.layers; l++) {
        g.kernelGradients[l] = result(fields * inputsOf(&f, l) * widths[l + 1]);
        g.biasGradients[l] = result(fields * widths[l + 1]);
      }
    }
    runField(machine, g);
    Floats all;
    for (const Floats& part : results) all.insert(all.end(), part.begin(), part.end());
    return all;
  });
}

void grids() {
  const std::vector<double> xs = {0.1, 0.3, 0.35, 0.8, 1.2}, ys = {-0.5, 0.2, 0.9};
  std::vector<double> frequencies(2 * 19), gains(19);
  for (size_t i = 0; i < frequencies.size(); i++) frequencies[i] = 3.0 * std::sin(static_cast<double>(i));
  for (size_t i = 0; i < gains.size(); i++) gains[i] = 1.0 / static_cast<double>(1 + i);
  const Grid grid{xs.data(), ys.data(), 5, 3, frequencies.data(), gains.data(), 19};
  const std::vector<int32_t> indices = {14, 0, 7};
  onEverything("grid", 1e-6f, [&](const Machine& machine) {
    Floats rows(10 * 38), pixels(3 * 38);
    runGrid(machine, grid, nullptr, 5, 10, rows.data());
    runGrid(machine, grid, indices.data(), 0, 3, pixels.data());
    rows.insert(rows.end(), pixels.begin(), pixels.end());
    return rows;
  });
  const Floats kernel = random(2 * 38 * 3), bias = random(2 * 3);
  onEverything("field on a grid", 1e-5f, [&](const Machine& machine) {
    Floats output(2 * 10 * 3);
    FieldArgs f{};
    f.layers = 1;
    f.widths[0] = 38;
    f.widths[1] = 3;
    f.sharedFeatures = true;
    f.fields = 2;
    f.points = 10;
    f.kernels[0] = kernel.data();
    f.biases[0] = bias.data();
    f.output = output.data();
    runFieldOnGrid(machine, f, grid, 5);
    return output;
  });
}

void products() {
  const int64_t sizes[][4] = {{1, 1, 1, 1}, {3, 7, 65, 13}, {1, 121, 200, 300}, {2, 64, 3, 33}, {1, 9, 70, 2500}};
  for (const auto& [batch, m, n, k] : sizes) {
    const Floats a = random(batch * m * k), b = random(batch * k * n);
    for (int flags = 0; flags < 4; flags++) {
      onEverything("gemm", 1e-5f, [&, batch = batch, m = m, n = n, k = k](const Machine& machine) {
        Floats c(static_cast<size_t>(batch * m * n));
        runGemm(machine, {batch, m, n, k, a.data(), b.data(), c.data(), m * k, k * n, (flags & 1) ? m : k, (flags & 2) ? k : n,
                          (flags & 1) != 0, (flags & 2) != 0});
        return c;
      });
    }
  }
  ConvArgs g{2, 9, 11, 5, 5, 6, 7, 3, 3, 2, 2, 1, 1, 1, 1, nullptr, nullptr, nullptr, nullptr};
  const Floats x = random(2 * 9 * 11 * 5), filter = random(9 * 5 * 7), dy = random(2 * 5 * 6 * 7);
  for (int kind = 0; kind < 3; kind++) {
    onEverything("conv", 1e-5f, [&](const Machine& machine) {
      Floats out(kind == 0 ? dy.size() : kind == 1 ? x.size() : filter.size());
      ConvArgs h = g;
      h.x = x.data();
      h.filter = filter.data();
      h.dy = dy.data();
      h.out = out.data();
      runConv(machine, h, kind);
      return out;
    });
  }
}

void elementwise() {
  for (int64_t n : {int64_t{1}, int64_t{19}, int64_t{70000}}) {
    const Floats x = random(n, 3);
    for (int op = 0; op < static_cast<int>(Unary::Count); op++) {
      onEverything("unary", 1e-3f, [&](const Machine& machine) {
        Floats y(x.size());
        runUnary(machine, static_cast<Unary>(op), x.data(), y.data(), n, -0.5f, 0.5f);
        for (float& value : y)
          if (!std::isfinite(value)) value = 0;  // logarithms and roots of negative numbers
        return y;
      });
    }
    onEverything("adam, ema", 1e-5f, [&](const Machine& machine) {
      Floats p = x, m = x, v(x.size(), 1.0f);
      runAdam(machine, p.data(), m.data(), v.data(), x.data(), n, 0.1f, 0.9, 0.99, 1e-8f, 1);
      runEma(machine, m.data(), p.data(), n, 0.75);
      p.insert(p.end(), m.begin(), m.end());
      return p;
    });
    onEverything("sum", 1e-4f, [&](const Machine& machine) {
      Floats y(1);
      runSum(machine, x.data(), y.data(), 1, n, 1, 1);
      return y;
    });
  }
  const int64_t shape[] = {5, 33, 17}, strides[] = {561, 17, 1}, transposed[] = {1, 5, 165}, row[] = {0, 17, 1};
  const Floats x = random(5 * 33 * 17), z = random(33 * 17);
  onEverything("binary", 1e-6f, [&](const Machine& machine) {
    Floats y(x.size());
    runBinary(machine, Binary::Mul, 3, shape, x.data(), strides, z.data(), row, y.data());
    return y;
  });
  onEverything("copy", 0, [&](const Machine& machine) {
    Floats y(x.size());
    runStridedCopy(machine, 3, shape, x.data(), strides, y.data(), transposed);
    return y;
  });
  const int32_t rows[] = {3, 0, 3, 4};
  onEverything("gather, scatter", 1e-6f, [&](const Machine& machine) {
    Floats taken(4 * 561), y(x.size(), 0.0f);
    runGather(machine, x.data(), rows, taken.data(), 1, 5, 4, 561);
    runScatterAdd(machine, taken.data(), rows, y.data(), 4, 561);
    return y;
  });
}

}  // namespace

int main() {
  for (int activation = 0; activation < 6; activation++) {
    for (int mode = 0; mode < 3; mode++) {
      const auto m = static_cast<FieldMode>(mode);
      const auto a = static_cast<Activation>(activation);
      field({7, 19, 37, 3}, 3, 131, true, m, a);
      field({5, 81, 33, 17}, 2, 30, false, m, a);
      field({4, 9, 3}, 1, 700, true, m, a);
      field({21, 4}, 2, 29, true, m, a);
      field({7, 19, 37, 3}, 3, 131, true, m, a, 1);
      field({5, 81, 33, 17}, 1, 410, false, m, a, 2);
    }
  }
  grids();
  products();
  elementwise();
  if (failures == 0) std::printf("every operation agrees\n");
  return failures == 0 ? 0 : 1;
}
