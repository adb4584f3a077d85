// The field operation and grids of Fourier features, seen from Node: checks every extent, then runs.
#include "instance.h"

namespace chladni {

// widths, skip, activation, omega, sigmoid: the arguments that begin every field operation
static void readFieldSpec(Arguments& in, FieldArgs& f) {
  const std::vector<int64_t> widths = in.list(kMaxLayers + 1);
  if (widths.size() < 2) throw Invalid("a field has at least one layer");
  f.layers = static_cast<int32_t>(widths.size()) - 1;
  for (size_t i = 0; i < widths.size(); i++) {
    if (widths[i] < 1 || widths[i] > (1 << 20)) throw Invalid("widths out of range");
    f.widths[i] = widths[i];
  }
  f.skip = static_cast<int32_t>(in.integer(0, f.layers - 1));
  f.activation = static_cast<Activation>(in.integer(0, 5));
  f.omega = static_cast<float>(in.number());
  f.sigmoid = in.boolean();
}

/// Lengths of the kernels and biases of all fields, layer by layer.
struct WeightSizes {
  std::vector<int64_t> kernels, biases;
  explicit WeightSizes(const FieldArgs& f) {
    for (int l = 0; l < f.layers; l++) {
      kernels.push_back(product({f.fields, inputsOf(&f, l), f.widths[l + 1]}));
      biases.push_back(product({f.fields, f.widths[l + 1]}));
    }
  }
};

// field(mode, widths, skip, activation, omega, sigmoid, shared, fields, points, kernels, biases, features, targets,
//       output, losses, kernelGradients, biasGradients, featureGradients)
napi_value field(napi_env, Instance& instance, Arguments& in) {
  FieldArgs f{};
  f.mode = static_cast<FieldMode>(in.integer(0, 2));
  readFieldSpec(in, f);
  f.sharedFeatures = in.boolean();
  f.fields = in.size();
  f.points = in.size();
  const WeightSizes sizes(f);
  const int64_t inputs = f.widths[0], values = product({f.fields, f.points, f.widths[f.layers]});
  in.arrays(sizes.kernels, const_cast<float**>(f.kernels));
  in.arrays(sizes.biases, const_cast<float**>(f.biases));
  f.features = in.floats(product({f.sharedFeatures ? 1 : f.fields, f.points, inputs}));
  f.targets = in.floatsOrNull(values);
  f.output = in.floatsOrNull(values);
  f.losses = in.floatsOrNull(f.fields);
  if (f.mode == FieldMode::Forward) {
    if (!f.output) throw Invalid("a forward pass needs an output");
  } else {
    if (!f.targets || (f.mode == FieldMode::Loss && !f.losses)) throw Invalid("a training pass needs targets");
    in.arrays(sizes.kernels, f.kernelGradients);
    in.arrays(sizes.biases, f.biasGradients);
    f.featureGradients = in.floatsOrNull(product({f.fields, f.points, inputs}));
  }
  runField(machineOf(instance), f);
  return nullptr;
}

// xs, ys, frequencies, gains or null
static Grid readGrid(Arguments& in) {
  Grid grid{};
  int64_t twice, gainCount = 0;
  grid.xs = in.doubles(&grid.width);
  grid.ys = in.doubles(&grid.height);
  grid.frequencies = in.doubles(&twice);
  grid.count = twice / 2;
  grid.gains = in.isNull() ? nullptr : in.doubles(&gainCount);
  if (grid.count < 1 || twice % 2 != 0 || grid.width < 1 || grid.height < 1 || (grid.gains && gainCount != grid.count))
    throw Invalid("grid: lengths");
  return grid;
}

// fieldOnGrid(widths, skip, activation, omega, sigmoid, fields, kernels, biases, xs, ys, frequencies, gains or null,
//             first pixel, points, output)
napi_value fieldOnGrid(napi_env, Instance& instance, Arguments& in) {
  FieldArgs f{};
  f.mode = FieldMode::Forward;
  f.sharedFeatures = true;
  readFieldSpec(in, f);
  f.fields = in.size();
  const WeightSizes sizes(f);
  in.arrays(sizes.kernels, const_cast<float**>(f.kernels));
  in.arrays(sizes.biases, const_cast<float**>(f.biases));
  const Grid grid = readGrid(in);
  const int64_t first = in.size();
  f.points = in.size();
  f.output = in.floats(product({f.fields, f.points, f.widths[f.layers]}));
  if (f.widths[0] != 2 * grid.count) throw Invalid("the field reads another number of features than the grid has");
  if (first + f.points > product({grid.width, grid.height})) throw Invalid("grid: pixels beyond the last");
  runFieldOnGrid(machineOf(instance), f, grid, first);
  return nullptr;
}

// grid(xs, ys, frequencies, gains or null, indices or null, first pixel, features)
napi_value grid(napi_env, Instance& instance, Arguments& in) {
  const Grid grid = readGrid(in);
  int64_t indexCount = 0, length;
  const int32_t* indices = in.isNull() ? nullptr : in.integers(&indexCount);
  const int64_t first = in.size();
  float* features = in.floats(&length);
  const int64_t pixels = length / (2 * grid.count);
  if (length != pixels * 2 * grid.count || (indices && indexCount != pixels)) throw Invalid("grid: the features' length");
  if (indices) checkIndices(indices, pixels, product({grid.width, grid.height}));
  else if (first + pixels > product({grid.width, grid.height})) throw Invalid("grid: pixels beyond the last");
  runGrid(machineOf(instance), grid, indices, first, pixels, features);
  return nullptr;
}

}  // namespace chladni
