// The Node-API face of the native engine: checks every extent, then runs the operation on the calling thread and the
// pool's. One machine (kernels and threads) for each Node environment.
#include <cstring>

#include "instance.h"

namespace chladni {
namespace {

napi_value makeNumber(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

/// Every function runs in here: C++ exceptions become JavaScript's.
template <napi_value (*Function)(napi_env, Instance&, Arguments&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    Instance* instance = nullptr;
    napi_get_instance_data(env, reinterpret_cast<void**>(&instance));
    Arguments arguments(env, info);
    return Function(env, *instance, arguments);
  } catch (const Invalid& error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

// configure(threads, instruction set or "") → its name
napi_value configure(napi_env env, Instance& instance, Arguments& in) {
  const int threads = static_cast<int>(in.integer(1, 1024));
  const std::string name = in.string();
  const KernelTable* kernels = selectKernels(name.c_str());
  if (!kernels) throw Invalid("this machine has no instruction set \"" + name + "\"");
  if (!instance.pool || instance.pool->threads() != threads) instance.pool = std::make_unique<ThreadPool>(threads);
  instance.machine = {kernels, instance.pool.get()};
  napi_value result;
  napi_create_string_utf8(env, kernels->name, NAPI_AUTO_LENGTH, &result);
  return result;
}

// instructionSets() → names, best first
napi_value instructionSets(napi_env env, Instance&, Arguments&) {
  const char* names[4];
  const int count = availableKernels(names);
  napi_value list;
  napi_create_array(env, &list);
  for (int i = 0; i < count; i++) {
    napi_value name;
    napi_create_string_utf8(env, names[i], NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, list, i, name);
  }
  return list;
}

// gemm(a, b, c, batch, m, n, k, oneA, oneB, transposeA, transposeB)
napi_value gemm(napi_env, Instance& instance, Arguments& in) {
  GemmArgs g{};
  int64_t lengthA, lengthB, lengthC;
  g.a = in.floats(&lengthA);
  g.b = in.floats(&lengthB);
  g.c = in.floats(&lengthC);
  g.batch = in.size();
  g.m = in.size();
  g.n = in.size();
  g.k = in.size();
  const bool oneA = in.boolean(), oneB = in.boolean();
  g.transposeA = in.boolean();
  g.transposeB = in.boolean();
  if (lengthA != product({oneA ? 1 : g.batch, g.m, g.k}) || lengthB != product({oneB ? 1 : g.batch, g.k, g.n}) ||
      lengthC != product({g.batch, g.m, g.n}))
    throw Invalid("gemm: the arrays don't have the lengths of their matrices");
  g.strideA = oneA ? 0 : g.m * g.k;
  g.strideB = oneB ? 0 : g.k * g.n;
  g.lda = g.transposeA ? g.m : g.k;
  g.ldb = g.transposeB ? g.k : g.n;
  runGemm(machineOf(instance), g);
  return nullptr;
}

// conv(kind, [15 extents of ConvArgs in order], x, filter, dy, out)
napi_value conv(napi_env, Instance& instance, Arguments& in) {
  const int32_t kind = static_cast<int32_t>(in.integer(0, 2));
  const std::vector<int64_t> d = in.list(15);
  if (d.size() != 15) throw Invalid("conv needs 15 extents");
  for (size_t i = 0; i < d.size(); i++)
    if (d[i] < (i < 9 || i > 12 ? 0 : 1) || d[i] > (1 << 28)) throw Invalid("conv: extents out of range");
  ConvArgs g{d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
             nullptr, nullptr, nullptr, nullptr};
  const int64_t x = product({g.images, g.height, g.width, g.channels});
  const int64_t filter = product({g.kernelHeight, g.kernelWidth, g.channels, g.outChannels});
  const int64_t y = product({g.images, g.outHeight, g.outWidth, g.outChannels});
  g.x = in.floatsOrNull(x);
  g.filter = in.floatsOrNull(filter);
  g.dy = in.floatsOrNull(y);
  g.out = in.floats(kind == 0 ? y : kind == 1 ? x : filter);
  if ((kind != 1 && !g.x) || (kind != 2 && !g.filter) || (kind != 0 && !g.dy)) throw Invalid("conv: an operand is missing");
  runConv(machineOf(instance), g, kind);
  return nullptr;
}

// unary(op, x, y, p0, p1)
napi_value unary(napi_env, Instance& instance, Arguments& in) {
  const Unary op = static_cast<Unary>(in.integer(0, static_cast<int64_t>(Unary::Count) - 1));
  int64_t n;
  const float* x = in.floats(&n);
  float* y = in.floats(n);
  const float p0 = static_cast<float>(in.number()), p1 = static_cast<float>(in.number());
  runUnary(machineOf(instance), op, x, y, n, p0, p1);
  return nullptr;
}

// Throws where a strided box, starting at `offset`, leaves an array of `length`.
void checkBox(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides, int64_t offset, int64_t length) {
  if (shape.size() != strides.size()) throw Invalid("a shape and its strides differ in rank");
  int64_t low = offset, high = offset;
  for (size_t d = 0; d < shape.size(); d++) {
    if (shape[d] < 0 || shape[d] > (int64_t{1} << 40)) throw Invalid("extents out of range");
    if (shape[d] == 0) return;
    int64_t reach;
    if (__builtin_mul_overflow(shape[d] - 1, strides[d], &reach)) throw Invalid("strides out of range");
    if (__builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high)) throw Invalid("strides out of range");
  }
  if (low < 0 || high >= length) throw Invalid("a strided box leaves its array");
}

// binary(op, shape, a, stridesA, b, stridesB, y)
napi_value binary(napi_env, Instance& instance, Arguments& in) {
  const Binary op = static_cast<Binary>(in.integer(0, static_cast<int64_t>(Binary::Count) - 1));
  const std::vector<int64_t> shape = in.list(kMaxRank);
  int64_t lengthA, lengthB, total = 1;
  for (int64_t extent : shape) total = product({total, extent});
  const float* a = in.floats(&lengthA);
  const std::vector<int64_t> stridesA = in.list(kMaxRank);
  const float* b = in.floats(&lengthB);
  const std::vector<int64_t> stridesB = in.list(kMaxRank);
  float* y = in.floats(total);
  checkBox(shape, stridesA, 0, lengthA);
  checkBox(shape, stridesB, 0, lengthB);
  const int rank = static_cast<int>(shape.size());
  for (int d = 0; d < rank; d++)
    if (stridesA[d] < 0 || stridesB[d] < 0) throw Invalid("binary: negative strides");
  // The innermost dimension that counts must be contiguous or repeated.
  for (int d = rank - 1; d >= 0; d--) {
    if (shape[d] == 1) continue;
    if (stridesA[d] > 1 || stridesB[d] > 1) throw Invalid("binary: the last dimension must be contiguous");
    break;
  }
  runBinary(machineOf(instance), op, rank, shape.data(), a, stridesA.data(), b, stridesB.data(), y);
  return nullptr;
}

// sum(x, y, outer, reduce, inner, scale)
napi_value sum(napi_env, Instance& instance, Arguments& in) {
  int64_t lengthX, lengthY;
  const float* x = in.floats(&lengthX);
  float* y = in.floats(&lengthY);
  const int64_t outer = in.size(), reduce = in.size(), inner = in.size();
  const float scale = static_cast<float>(in.number());
  if (reduce < 1 || inner < 1) throw Invalid("sum: nothing to add");
  if (lengthX != product({outer, reduce, inner}) || lengthY != product({outer, inner})) throw Invalid("sum: lengths");
  runSum(machineOf(instance), x, y, outer, reduce, inner, scale);
  return nullptr;
}

// stridedCopy(shape, x, offsetX, stridesX, y, offsetY, stridesY): 4-byte elements of either kind
napi_value stridedCopy(napi_env, Instance& instance, Arguments& in) {
  const std::vector<int64_t> shape = in.list(kMaxRank);
  int64_t lengthX, lengthY;
  const float* x = in.words(&lengthX);
  const int64_t offsetX = in.size();
  const std::vector<int64_t> stridesX = in.list(kMaxRank);
  float* y = in.words(&lengthY);
  const int64_t offsetY = in.size();
  const std::vector<int64_t> stridesY = in.list(kMaxRank);
  checkBox(shape, stridesX, offsetX, lengthX);
  checkBox(shape, stridesY, offsetY, lengthY);
  for (size_t d = 0; d < shape.size(); d++)
    if (shape[d] > 1 && stridesY[d] <= 0) throw Invalid("stridedCopy: would write an element twice");
  runStridedCopy(machineOf(instance), static_cast<int>(shape.size()), shape.data(), x + offsetX, stridesX.data(), y + offsetY,
                 stridesY.data());
  return nullptr;
}

// adam(parameter, firstMoment, secondMoment, gradient, stepSize, beta1, beta2, epsilon, 1/√(1−β₂ᵗ)), in place
napi_value adam(napi_env, Instance& instance, Arguments& in) {
  int64_t n;
  float* p = in.floats(&n);
  float* m = in.floats(n);
  float* v = in.floats(n);
  const float* g = in.floats(n);
  const float stepSize = static_cast<float>(in.number());
  const double beta1 = in.number(), beta2 = in.number();
  const float epsilon = static_cast<float>(in.number());
  runAdam(machineOf(instance), p, m, v, g, n, stepSize, beta1, beta2, epsilon, static_cast<float>(in.number()));
  return nullptr;
}

// ema(average, value, decay), in place
napi_value ema(napi_env, Instance& instance, Arguments& in) {
  int64_t n;
  float* average = in.floats(&n);
  const float* value = in.floats(n);
  runEma(machineOf(instance), average, value, n, in.number());
  return nullptr;
}

// addN(y, terms)
napi_value addN(napi_env, Instance& instance, Arguments& in) {
  int64_t n;
  float* y = in.floats(&n);
  const std::vector<const float*> terms = in.terms(n);
  runAddN(machineOf(instance), terms.data(), static_cast<int64_t>(terms.size()), y, n);
  return nullptr;
}

// gather(x, indices, y, outer, tableRows, inner)
napi_value gather(napi_env, Instance& instance, Arguments& in) {
  int64_t lengthX, count, lengthY;
  const float* x = in.floats(&lengthX);
  const int32_t* indices = in.integers(&count);
  float* y = in.floats(&lengthY);
  const int64_t outer = in.size(), tableRows = in.size(), inner = in.size();
  if (lengthX != product({outer, tableRows, inner}) || lengthY != product({outer, count, inner})) throw Invalid("gather: lengths");
  checkIndices(indices, count, tableRows);
  runGather(machineOf(instance), x, indices, y, outer, tableRows, count, inner);
  return nullptr;
}

// scatterAdd(x, indices, y, inner): y[indices[i]] += x[i]
napi_value scatterAdd(napi_env, Instance& instance, Arguments& in) {
  int64_t lengthX, count, lengthY;
  const float* x = in.floats(&lengthX);
  const int32_t* indices = in.integers(&count);
  float* y = in.floats(&lengthY);
  const int64_t inner = in.size();
  if (inner < 1 || lengthX != product({count, inner}) || lengthY % inner != 0) throw Invalid("scatterAdd: lengths");
  checkIndices(indices, count, lengthY / inner);
  runScatterAdd(machineOf(instance), x, indices, y, count, inner);
  return nullptr;
}

// measureFma(seconds) → floating-point operations per second
napi_value fmaLimit(napi_env env, Instance& instance, Arguments& in) {
  return makeNumber(env, measureFma(machineOf(instance), in.number()));
}

// measureCopy(floats, seconds) → bytes read and written per second
napi_value copyLimit(napi_env env, Instance& instance, Arguments& in) {
  const int64_t n = in.integer(1, int64_t{1} << 32);
  return makeNumber(env, measureCopy(machineOf(instance), n, in.number()));
}

napi_value initialize(napi_env env, napi_value exports) {
  napi_set_instance_data(
      env, new Instance, [](napi_env, void* data, void*) { delete static_cast<Instance*>(data); }, nullptr);
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"configure", guarded<configure>},     {"instructionSets", guarded<instructionSets>},
      {"field", guarded<field>},             {"gemm", guarded<gemm>},
      {"conv", guarded<conv>},               {"unary", guarded<unary>},
      {"binary", guarded<binary>},           {"sum", guarded<sum>},
      {"stridedCopy", guarded<stridedCopy>}, {"adam", guarded<adam>},
      {"ema", guarded<ema>},                 {"addN", guarded<addN>},
      {"gather", guarded<gather>},           {"scatterAdd", guarded<scatterAdd>},
      {"grid", guarded<grid>},               {"fieldOnGrid", guarded<fieldOnGrid>},
      {"fmaLimit", guarded<fmaLimit>},       {"copyLimit", guarded<copyLimit>},
  };
  for (const auto& entry : functions) {
    napi_value function;
    napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr, &function);
    napi_set_named_property(env, exports, entry.name, function);
  }
  return exports;
}

}  // namespace
}  // namespace chladni

NAPI_MODULE_INIT() { return chladni::initialize(env, exports); }
