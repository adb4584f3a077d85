// The fused field operation: B small networks over P points, tile by tile. A tile of points passes through all layers,
// the loss, and back, while its activations, the weights of its field and their gradients stay in the caches of one
// core. See docs/native-engine.md for the picture.
#pragma once
#include "../kernels.h"
#include "activation.h"
#include "grid.h"
#include "microkernel.h"
#include "vectorMath.h"

using namespace chladni;

constexpr int64_t kTilePoints = 96;    // a multiple of every block height but 8
constexpr int64_t kTargetUnits = 64;   // keeps any plausible number of threads busy
constexpr int64_t kStridePadding = 16;  // one line: rows of a tile then fall into different sets of the cache

// Everything a thread keeps while it works, carved out of its scratch.
struct FieldScratch {
  float* packed[kMaxLayers];            // weights, for the forward pass
  float* packedTransposed[kMaxLayers];  // those of the first widths[l] inputs transposed, for the backward pass
  float* packedSkipTransposed;          // those of the skip layer's features transposed, where their gradient is wanted
  float* bias[kMaxLayers];
  float* kernelGradient[kMaxLayers];  // [I][O padded]; of the last layer transposed, [O][I padded]
  float* biasGradient[kMaxLayers];
  float* hidden[kMaxLayers + 1];      // hidden[l] feeds layer l: [tile][stride[l]]; hidden[0]: the features
  float* derivative[kMaxLayers + 1];  // of the activation that made hidden[l]
  int64_t stride[kMaxLayers + 1];
  float *delta, *nextDelta;  // gradients of preactivations, [tile][their width's stride]
  float* skipDelta;          // what the features' gradient gets through the skip, [tile][stride[0]]
  float *output, *outputDelta;
  int64_t floats;
};

INLINE bool keepsDerivative(const FieldArgs* f) { return f->activation != Activation::Relu; }
INLINE bool trains(const FieldArgs* f) { return f->mode != FieldMode::Forward; }

static FieldScratch carveScratch(const FieldArgs* f, int64_t tile, float* base) {
  FieldScratch s;
  int64_t at = 16;  // the first line holds which field is packed here
  auto take = [&](int64_t floats) {
    float* p = base + at;
    at += roundUp(floats, 16);
    return p;
  };
  const int L = f->layers;
  const int64_t rows = tile + kRowSlack;
  int64_t widest = 0;
  for (int l = 0; l <= L; l++) {
    s.stride[l] = roundUp(l < L ? inputsOf(f, l) : f->widths[l], 16) + kStridePadding;
    widest = larger(widest, s.stride[l]);
  }
  for (int l = 0; l < L; l++) {
    const int64_t in = inputsOf(f, l), out = f->widths[l + 1];
    s.packed[l] = take(packedFloats(in, out));
    s.bias[l] = take(roundUp(out, W));
    s.hidden[l] = take(rows * s.stride[l]);
    s.derivative[l] = nullptr;
    if (!trains(f)) continue;
    if (l > 0 && keepsDerivative(f)) s.derivative[l] = take(rows * s.stride[l]);
    s.packedTransposed[l] = l > 0 || f->featureGradients ? take(packedFloats(out, f->widths[l])) : nullptr;
    s.kernelGradient[l] = take(l + 1 < L ? (in + kRowSlack) * roundUp(out, W) : (out + kRowSlack) * roundUp(in, W));
    s.biasGradient[l] = take(roundUp(out, W));
  }
  s.delta = s.nextDelta = s.outputDelta = s.skipDelta = s.packedSkipTransposed = nullptr;
  if (f->skip && f->featureGradients) {
    s.packedSkipTransposed = take(packedFloats(f->widths[f->skip + 1], f->widths[0]));
    s.skipDelta = take(rows * s.stride[0]);
  }
  s.output = take(rows * larger(s.stride[L], f->widths[L]) + 64);
  if (trains(f)) {
    s.outputDelta = take(rows * f->widths[L] + 64);
    s.delta = take(rows * widest);
    s.nextDelta = take(rows * widest);
  }
  s.floats = at + 64;
  return s;
}

static void fieldPlan(const FieldArgs* f, FieldPlan* plan) {
  plan->tilePoints = smaller(kTilePoints, roundUp(larger(f->points, 1), 12));
  const int64_t tiles = (f->points + plan->tilePoints - 1) / plan->tilePoints;
  const int64_t wanted = larger(1, kTargetUnits / larger(1, f->fields));
  // A chunk of training ends with a reduction over its weights, so it must not be too short.
  const int64_t shortest = trains(f) ? 2 : 1;
  const int64_t chunkTiles = larger(shortest, (tiles + wanted - 1) / wanted);
  plan->chunkPoints = chunkTiles * plan->tilePoints;
  plan->chunksPerField = larger(1, (tiles + chunkTiles - 1) / chunkTiles);
  plan->scratchFloats = carveScratch(f, plan->tilePoints, nullptr).floats;
  int64_t partial = 0;
  for (int l = 0; l < f->layers; l++) partial += (inputsOf(f, l) + 1) * f->widths[l + 1];
  plan->partialFloats = trains(f) && plan->chunksPerField > 1 ? partial : 0;
}

static void packField(const FieldArgs* f, const FieldScratch& s, int64_t field) {
  for (int l = 0; l < f->layers; l++) {
    const int64_t in = inputsOf(f, l), width = f->widths[l], out = f->widths[l + 1];
    const float* kernel = f->kernels[l] + field * in * out;
    packPanels(kernel, out, false, in, out, s.packed[l]);
    if (trains(f) && s.packedTransposed[l]) packPanels(kernel, out, true, out, width, s.packedTransposed[l]);
    if (l == f->skip && s.packedSkipTransposed)
      packPanels(kernel + width * out, out, true, out, f->widths[0], s.packedSkipTransposed);
    const float* bias = f->biases[l] + field * out;
    for (int64_t o = 0; o < roundUp(out, W); o++) s.bias[l][o] = o < out ? bias[o] : 0;
  }
}

// Leaves the field's values, before the output's activation, compact in s.output: [n][C].
static void forwardTile(const FieldArgs* f, const FieldScratch& s, int64_t field, int64_t first, int64_t n) {
  const int L = f->layers;
  if (f->grid) {
    for (int64_t p = 0; p < n; p++) gridPixel(f->grid, f->firstPixel + first + p, s.hidden[0] + p * s.stride[0]);
  } else {
    const float* features = f->features + ((f->sharedFeatures ? 0 : field * f->points) + first) * f->widths[0];
    copyBlock(features, f->widths[0], s.hidden[0], s.stride[0], n, f->widths[0]);
  }
  for (int l = 0; l + 1 < L; l++) {
    const int64_t in = inputsOf(f, l), out = f->widths[l + 1];
    float* next = s.hidden[l + 1];
    const int64_t stride = s.stride[l + 1];
    if (f->activation == Activation::Relu) {
      multiply<true, Epilogue::BiasRelu>(n, out, in, s.hidden[l], s.stride[l], s.packed[l], 0, next, stride, s.bias[l]);
    } else {
      multiply<true, Epilogue::Bias>(n, out, in, s.hidden[l], s.stride[l], s.packed[l], 0, next, stride, s.bias[l]);
      if (trains(f)) activateHidden<true>(f->activation, next, s.derivative[l + 1], n, stride, out, f->omega);
      else activateHidden<false>(f->activation, next, nullptr, n, stride, out, f->omega);
    }
    // Behind the hidden units, over their padding: the layer's products then run over both without knowing.
    if (l + 1 == f->skip) copyBlock(s.hidden[0], s.stride[0], next + out, stride, n, f->widths[0]);
  }
  const int64_t channels = f->widths[L], stride = s.stride[L];
  const int l = L - 1;
  multiply<true, Epilogue::Bias>(n, channels, inputsOf(f, l), s.hidden[l], s.stride[l], s.packed[l], 0, s.output, stride,
                                 s.bias[l]);
  for (int64_t p = 1; p < n; p++)
    for (int64_t c = 0; c < channels; c++) s.output[p * channels + c] = s.output[p * stride + c];
}

// Turns s.output into the gradient of the output layer's preactivation, compact in s.outputDelta; returns Σ(y−t)².
static double outputGradient(const FieldArgs* f, const FieldScratch& s, const float* targets, int64_t count) {
  const bool isLoss = f->mode == FieldMode::Loss;
  const float scale = 2.0f / ((float)f->points * (float)f->widths[f->layers] * (float)f->fields);
  vf sum = {};
  for (int64_t i = 0; i < count; i += W) {
    const int64_t here = smaller(W, count - i);
    vf y = loadPart(s.output + i, here), t = loadPart(targets + i, here);
    if (f->sigmoid) y = sigmoidVector(y);
    vf delta = t;
    if (isLoss) {
      vf difference = y - t;
      if (here < W) difference = loadPart((const float*)&difference, here);
      sum += difference * difference;
      delta = difference * scale;
    }
    if (f->sigmoid) delta *= y * (1.0f - y);
    storePart(s.outputDelta + i, delta, here);
  }
  return isLoss ? (double)sumLanes(sum) : 0;
}

INLINE void addBiasGradient(float* gradient, const float* delta, int64_t rows, int64_t stride, int64_t width) {
  for (int64_t j = 0; j < width; j += W) {
    vf even = load(gradient + j), odd = {};
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      even += load(delta + r * stride + j);
      odd += load(delta + (r + 1) * stride + j);
    }
    if (r < rows) even += load(delta + r * stride + j);
    store(gradient + j, even + odd);
  }
}

static void backwardTile(const FieldArgs* f, FieldScratch& s, float* featureGradients, int64_t n) {
  const int last = f->layers - 1;
  const int64_t channels = f->widths[last + 1];
  // The output layer: few channels, so its gradient is kept transposed and the vectors run along its inputs.
  const float* delta = s.outputDelta;
  int64_t deltaStride = channels;
  {
    const int64_t in = inputsOf(f, last), padded = roundUp(in, W);
    const float* h = s.hidden[last];
    const int64_t ldh = s.stride[last];
    for (int64_t c = 0; c < channels; c++) {
      float total = 0;
      for (int64_t p = 0; p < n; p++) total += delta[p * channels + c];
      s.biasGradient[last][c] += total;
    }
    for (int64_t c0 = 0; c0 < channels; c0 += 3) {
      const int64_t here = smaller(3, channels - c0);
      for (int64_t j = 0; j < padded; j += kPanelColumns) {
        const int64_t vectors = smaller(kPanel, (padded - j) / W);
        vf acc[3][kPanel] = {};
        for (int64_t p = 0; p < n; p++) {
          const float* row = delta + p * channels + c0;
          const float d0 = row[0], d1 = here > 1 ? row[1] : 0, d2 = here > 2 ? row[2] : 0;
          for (int v = 0; v < kPanel; v++) {
            // Beyond the padded width this reads the row's own padding or the next row: never stored.
            vf x = load(h + p * ldh + j + v * W);
            acc[0][v] += d0 * x;
            acc[1][v] += d1 * x;
            acc[2][v] += d2 * x;
          }
        }
        for (int64_t c = 0; c < here; c++)
          for (int64_t v = 0; v < vectors; v++) {
            float* to = s.kernelGradient[last] + (c0 + c) * padded + j + v * W;
            store(to, load(to) + acc[c][v]);
          }
      }
    }
  }
  for (int l = last; l > 0; l--) {
    if (l == f->skip && featureGradients)
      multiply<true, Epilogue::Store>(n, f->widths[0], f->widths[l + 1], delta, deltaStride, s.packedSkipTransposed, 0,
                                      s.skipDelta, s.stride[0], nullptr);
    // Through layer l, then through the activation that fed it.
    const int64_t in = f->widths[l], out = f->widths[l + 1], stride = s.stride[l];
    if (f->activation == Activation::Relu)
      multiply<true, Epilogue::ReluMask>(n, in, out, delta, deltaStride, s.packedTransposed[l], 0, s.nextDelta, stride,
                                         s.hidden[l]);
    else
      multiply<true, Epilogue::Multiply>(n, in, out, delta, deltaStride, s.packedTransposed[l], 0, s.nextDelta, stride,
                                         s.derivative[l]);
    float* spent = s.delta;
    s.delta = s.nextDelta;
    s.nextDelta = spent;
    delta = s.delta;
    deltaStride = stride;
    addBiasGradient(s.biasGradient[l - 1], delta, n, stride, in);
    // dW = Xᵀ·δ: the shared dimension is the tile's points, and the rows of δ serve as B unpacked.
    const int64_t below = inputsOf(f, l - 1), padded = roundUp(in, W);
    multiply<false, Epilogue::Add>(below, in, n, s.hidden[l - 1], s.stride[l - 1], delta, stride, s.kernelGradient[l - 1],
                                   padded, nullptr);
  }
  if (!featureGradients) return;
  float* gradient = f->skip ? s.skipDelta : s.nextDelta;
  if (f->skip)
    multiply<true, Epilogue::Add>(n, f->widths[0], f->widths[1], delta, deltaStride, s.packedTransposed[0], 0, gradient,
                                  s.stride[0], nullptr);
  else
    multiply<true, Epilogue::Store>(n, f->widths[0], f->widths[1], delta, deltaStride, s.packedTransposed[0], 0, gradient,
                                    s.stride[0], nullptr);
  copyBlock(gradient, s.stride[0], featureGradients, f->widths[0], n, f->widths[0]);
}

static void clearGradients(const FieldArgs* f, const FieldScratch& s) {
  for (int l = 0; l < f->layers; l++) {
    const int64_t in = inputsOf(f, l), out = f->widths[l + 1];
    const bool last = l + 1 == f->layers;
    memset(s.kernelGradient[l], 0, (size_t)(last ? out * roundUp(in, W) : in * roundUp(out, W)) * 4);
    memset(s.biasGradient[l], 0, (size_t)roundUp(out, W) * 4);
  }
}

// Copies the gradients of one unit to where they belong: the result, or this unit's partial sums.
static void writeGradients(const FieldArgs* f, const FieldPlan* plan, const FieldScratch& s, int64_t field, int64_t unit) {
  float* partial = plan->partialFloats ? plan->partials + unit * plan->partialFloats : nullptr;
  for (int l = 0; l < f->layers; l++) {
    const int64_t in = inputsOf(f, l), out = f->widths[l + 1];
    float* kernel = partial ? partial : f->kernelGradients[l] + field * in * out;
    float* bias = partial ? partial + in * out : f->biasGradients[l] + field * out;
    if (l + 1 == f->layers) transposeMatrix(s.kernelGradient[l], roundUp(in, W), kernel, out, out, in);
    else copyBlock(s.kernelGradient[l], roundUp(out, W), kernel, out, in, out);
    memcpy(bias, s.biasGradient[l], (size_t)out * 4);
    if (partial) partial += (in + 1) * out;
  }
}

static void fieldUnit(const FieldArgs* f, const FieldPlan* plan, int64_t unit, float* scratch) {
  FieldScratch s = carveScratch(f, plan->tilePoints, scratch);
  const int64_t field = unit / plan->chunksPerField;
  const int64_t first = unit % plan->chunksPerField * plan->chunkPoints;
  const int64_t end = smaller(first + plan->chunkPoints, f->points);
  const int64_t inputs = f->widths[0], channels = f->widths[f->layers];
  // The caller sets this to −1 before each operation; consecutive chunks of a field pack its weights once.
  int64_t* packedField = (int64_t*)scratch;
  if (*packedField != field) packField(f, s, field);
  *packedField = field;
  if (trains(f)) clearGradients(f, s);
  double squaredError = 0;
  for (int64_t p = first; p < end; p += plan->tilePoints) {
    const int64_t n = smaller(plan->tilePoints, end - p);
    forwardTile(f, s, field, p, n);
    const int64_t at = (field * f->points + p) * channels;
    if (trains(f)) {
      squaredError += outputGradient(f, s, f->targets + at, n * channels);
      backwardTile(f, s, f->featureGradients ? f->featureGradients + (field * f->points + p) * inputs : nullptr, n);
      continue;
    }
    for (int64_t i = 0; i < n * channels; i += W) {
      const int64_t here = smaller(W, n * channels - i);
      vf y = loadPart(s.output + i, here);
      storePart(f->output + at + i, f->sigmoid ? sigmoidVector(y) : y, here);
    }
  }
  if (trains(f)) writeGradients(f, plan, s, field, unit);
  if (f->mode == FieldMode::Loss) plan->partialLosses[unit] = squaredError;
}

// Adds up the chunks of one field, in order.
static void fieldReduce(const FieldArgs* f, const FieldPlan* plan, int64_t field) {
  const int64_t chunks = plan->chunksPerField;
  if (f->mode == FieldMode::Loss) {
    double sum = 0;
    for (int64_t c = 0; c < chunks; c++) sum += plan->partialLosses[field * chunks + c];
    f->losses[field] = (float)(sum / ((double)f->points * (double)f->widths[f->layers]));
  }
  if (!plan->partialFloats) return;
  const float* base = plan->partials + field * chunks * plan->partialFloats;
  int64_t at = 0;
  for (int l = 0; l < f->layers; l++) {
    const int64_t in = inputsOf(f, l), out = f->widths[l + 1];
    for (int part = 0; part < 2; part++) {
      const int64_t n = part ? out : in * out;
      float* to = part ? f->biasGradients[l] + field * out : f->kernelGradients[l] + field * in * out;
      for (int64_t i = 0; i < n; i += W) {
        const int64_t here = smaller(W, n - i);
        vf sum = loadPart(base + at + i, here);
        for (int64_t c = 1; c < chunks; c++) sum += loadPart(base + c * plan->partialFloats + at + i, here);
        storePart(to + i, sum, here);
      }
      at += n;
    }
  }
}
