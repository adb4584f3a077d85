// Convolution and its gradients as products over tiles of output pixels; a tile's patches never leave the cache.
#pragma once
#include "../kernels.h"
#include "microkernel.h"

using namespace chladni;

constexpr int64_t kTilePixels = 96;
constexpr int64_t kConvDepthBlock = 384;

struct ConvScratch {
  float* packed;   // the filter, in panels; per block of depth for the forward pass
  float* columns;  // patches of one tile
  float* local;    // one padded tile of outputs or their gradients
  float* sums;     // filter gradient
  int64_t stride, tapStride;  // of pixels and of taps in `columns`
  int64_t outStride, floats;
};

INLINE int64_t patchSize(const ConvArgs* g) { return g->kernelHeight * g->kernelWidth * g->channels; }

static ConvScratch carveConv(const ConvArgs* g, int32_t kind, float* base) {
  ConvScratch s;
  const int64_t patch = patchSize(g), rows = kTilePixels + kRowSlack;
  int64_t at = 16;  // the first line says whether the filter is packed
  auto take = [&](int64_t floats) {
    float* p = base + at;
    at += roundUp(floats, 16);
    return p;
  };
  s.stride = roundUp(patch, 16) + 16;
  s.tapStride = g->channels;
  int64_t columns = rows * s.stride;
  if (kind == 2 && g->channels >= 32) {
    // The filter's gradient walks down pixels: one tap after the other, a tile stays in the first-level cache.
    s.stride = roundUp(g->channels, 16) + 16;
    s.tapStride = rows * s.stride;
    columns = g->kernelHeight * g->kernelWidth * s.tapStride;
  }
  s.outStride = roundUp(g->outChannels, 16) + 16;
  s.columns = take(columns);
  s.local = take(rows * s.outStride);
  s.packed = kind == 2 ? nullptr : take(kind == 0 ? packedFloats(patch, g->outChannels) : packedFloats(g->outChannels, patch));
  s.sums = kind == 2 ? take((patch + kRowSlack) * roundUp(g->outChannels, W)) : nullptr;
  s.floats = at + 64;
  return s;
}

static void convPlan(const ConvArgs* g, int32_t kind, ConvPlan* plan) {
  const int64_t pixels = g->images * g->outHeight * g->outWidth;
  const int64_t tiles = (pixels + kTilePixels - 1) / kTilePixels;
  plan->tilePixels = kTilePixels;
  plan->tilesPerUnit = larger(1, (tiles + 63) / 64);
  plan->units = kind == 1 ? g->images : (tiles + plan->tilesPerUnit - 1) / plan->tilesPerUnit;
  plan->scratchFloats = carveConv(g, kind, nullptr).floats;
}

// Calls visit(row of the tile, tap, offset of the input pixel, or −1 outside) for pixels [first, first + n).
template <class Visit>
INLINE void forPatches(const ConvArgs* g, int64_t first, int64_t n, Visit visit) {
  for (int64_t r = 0; r < n; r++) {
    const int64_t pixel = first + r;
    const int64_t ox = pixel % g->outWidth, oy = pixel / g->outWidth % g->outHeight;
    const int64_t image = pixel / (g->outWidth * g->outHeight);
    for (int64_t ky = 0, tap = 0; ky < g->kernelHeight; ky++) {
      const int64_t y = oy * g->strideY + ky * g->dilationY - g->padTop;
      for (int64_t kx = 0; kx < g->kernelWidth; kx++, tap++) {
        const int64_t x = ox * g->strideX + kx * g->dilationX - g->padLeft;
        const bool inside = y >= 0 && y < g->height && x >= 0 && x < g->width;
        visit(r, tap, inside ? ((image * g->height + y) * g->width + x) * g->channels : -1);
      }
    }
  }
}

static void gatherPatches(const ConvArgs* g, const ConvScratch& s, int64_t first, int64_t n) {
  const int64_t channels = g->channels;
  forPatches(g, first, n, [&](int64_t r, int64_t tap, int64_t from) {
    float* to = s.columns + r * s.stride + tap * s.tapStride;
    int64_t j = 0;
    if (from < 0) {
      for (; j + W <= channels; j += W) store(to + j, vf{});
      for (; j < channels; j++) to[j] = 0;
      return;
    }
    for (; j + W <= channels; j += W) store(to + j, load(g->x + from + j));
    for (; j < channels; j++) to[j] = g->x[from + j];
  });
}

static void convForwardUnit(const ConvArgs* g, const ConvPlan* plan, const ConvScratch& s, int64_t unit) {
  const int64_t patch = patchSize(g), outputs = g->outChannels, paddedOutputs = roundUp(outputs, W);
  const int64_t pixels = g->images * g->outHeight * g->outWidth;
  const int64_t end = smaller((unit + 1) * plan->tilesPerUnit * kTilePixels, pixels);
  for (int64_t first = unit * plan->tilesPerUnit * kTilePixels; first < end; first += kTilePixels) {
    const int64_t n = smaller(kTilePixels, end - first);
    gatherPatches(g, s, first, n);
    for (int64_t k = 0; k < patch; k += kConvDepthBlock) {
      const int64_t depth = smaller(kConvDepthBlock, patch - k);
      const float* b = s.packed + k * paddedOutputs;
      if (k == 0) multiply<true, Epilogue::Store>(n, outputs, depth, s.columns, s.stride, b, 0, s.local, s.outStride, nullptr);
      else multiply<true, Epilogue::Add>(n, outputs, depth, s.columns + k, s.stride, b, 0, s.local, s.outStride, nullptr);
    }
    copyBlock(s.local, s.outStride, g->out + first * outputs, outputs, n, outputs);
  }
}

// One image: each tile's gradient with respect to its patches is added where the patches came from.
static void convInputUnit(const ConvArgs* g, const ConvScratch& s, int64_t image) {
  const int64_t patch = patchSize(g), outputs = g->outChannels, channels = g->channels;
  const int64_t imagePixels = g->outHeight * g->outWidth;
  memset(g->out + image * g->height * g->width * channels, 0, (size_t)(g->height * g->width * channels) * 4);
  for (int64_t p = 0; p < imagePixels; p += kTilePixels) {
    const int64_t n = smaller(kTilePixels, imagePixels - p), first = image * imagePixels + p;
    copyBlock(g->dy + first * outputs, outputs, s.local, s.outStride, n, outputs);
    multiply<true, Epilogue::Store>(n, patch, outputs, s.local, s.outStride, s.packed, 0, s.columns, s.stride, nullptr);
    forPatches(g, first, n, [&](int64_t r, int64_t tap, int64_t to) {
      if (to < 0) return;
      const float* from = s.columns + r * s.stride + tap * channels;
      int64_t j = 0;
      for (; j + W <= channels; j += W) store(g->out + to + j, load(g->out + to + j) + load(from + j));
      for (; j < channels; j++) g->out[to + j] += from[j];
    });
  }
}

static void convFilterUnit(const ConvArgs* g, const ConvPlan* plan, const ConvScratch& s, int64_t unit) {
  const int64_t patch = patchSize(g), outputs = g->outChannels, padded = roundUp(outputs, W);
  const int64_t pixels = g->images * g->outHeight * g->outWidth;
  const int64_t end = smaller((unit + 1) * plan->tilesPerUnit * kTilePixels, pixels);
  memset(s.sums, 0, (size_t)(patch * padded) * 4);
  for (int64_t first = unit * plan->tilesPerUnit * kTilePixels; first < end; first += kTilePixels) {
    const int64_t n = smaller(kTilePixels, end - first);
    gatherPatches(g, s, first, n);
    copyBlock(g->dy + first * outputs, outputs, s.local, s.outStride, n, outputs);
    const int64_t taps = s.tapStride == g->channels ? 1 : g->kernelHeight * g->kernelWidth;
    for (int64_t tap = 0; tap < taps; tap++)
      multiply<false, Epilogue::Add>(patch / taps, outputs, n, s.columns + tap * s.tapStride, s.stride, s.local,
                                     s.outStride, s.sums + tap * (patch / taps) * padded, padded, nullptr);
  }
  copyBlock(s.sums, padded, plan->partials + unit * patch * outputs, outputs, patch, outputs);
}

static void convUnit(const ConvArgs* g, const ConvPlan* plan, int32_t kind, int64_t unit, float* scratch) {
  const ConvScratch s = carveConv(g, kind, scratch);
  const int64_t patch = patchSize(g), outputs = g->outChannels;
  int64_t* isPacked = (int64_t*)scratch;
  if (kind == 0 && *isPacked != 0)
    for (int64_t k = 0; k < patch; k += kConvDepthBlock)
      packPanels(g->filter + k * outputs, outputs, false, smaller(kConvDepthBlock, patch - k), outputs,
                 s.packed + k * roundUp(outputs, W));
  if (kind == 1 && *isPacked != 0) packPanels(g->filter, outputs, true, outputs, patch, s.packed);
  *isPacked = 0;
  if (kind == 0) convForwardUnit(g, plan, s, unit);
  if (kind == 1) convInputUnit(g, s, unit);
  if (kind == 2) convFilterUnit(g, plan, s, unit);
}
