// Fourier features of a grid of pixels. The phase 2π(fx·x + fy·y) is separable: sines and cosines are taken once for each
// column and row, in double precision (deep zooms need it), and a feature costs two products.
#pragma once
#include "../kernels.h"
#include "simd.h"

using namespace chladni;

// sin and cos of 2π·f·position for positions [n] and frequencies [K] (every second number of `frequencies`), times gain:
// [n][K] each, worked out in double precision and rounded.
static void waves(const double* positions, int64_t n, const double* frequencies, const double* gain, int64_t count,
                  float* sine, float* cosine) {
  for (int64_t i = 0; i < n; i++) {
    const double position = positions[i];
    float* s = sine + i * count;
    float* c = cosine + i * count;
    for (int64_t k = 0; k < count; k++) {
      // In quarter turns, so that the reduction to [−½,½] is exact.
      const double turns = frequencies[2 * k] * position * 4.0;
      const double shifted = turns + 6755399441055744.0;  // 1.5·2⁵²: rounds to an integer, which its low bits are
      const double r = (turns - (shifted - 6755399441055744.0)) * 1.5707963267948966;
      int64_t quadrant;
      memcpy(&quadrant, &shifted, 8);
      const double s2 = r * r;
      double p = 1.58962301576546568060e-10;
      p = p * s2 + -2.50507477628578072866e-8;
      p = p * s2 + 2.75573136213857245213e-6;
      p = p * s2 + -1.98412698295895385996e-4;
      p = p * s2 + 8.33333333332211858878e-3;
      p = p * s2 + -1.66666666666666307295e-1;
      const double sinPart = r + r * s2 * p;
      double q = -1.13585365213876817300e-11;
      q = q * s2 + 2.08757008419747316778e-9;
      q = q * s2 + -2.75573141792967388112e-7;
      q = q * s2 + 2.48015872888517045348e-5;
      q = q * s2 + -1.38888888888730564116e-3;
      q = q * s2 + 4.16666666666665929218e-2;
      const double cosPart = 1.0 - 0.5 * s2 + s2 * s2 * q;
      const bool swapped = quadrant & 1;
      const double sinValue = swapped ? cosPart : sinPart, cosValue = swapped ? sinPart : cosPart;
      const double g = gain ? gain[k] : 1.0;
      s[k] = (float)((quadrant & 2 ? -sinValue : sinValue) * g);
      c[k] = (float)(((quadrant + 1) & 2 ? -cosValue : cosValue) * g);
    }
  }
}

// [sin(a+b), cos(a+b)] for K frequencies, from the waves of one column and one row.
static void gridPixel(const GridWaves* grid, int64_t pixel, float* features) {
  const int64_t count = grid->count;
  const int64_t x = pixel % grid->width * count, y = (grid->width + pixel / grid->width - grid->firstRow) * count;
  const float *xSine = grid->sine + x, *xCosine = grid->cosine + x, *ySine = grid->sine + y, *yCosine = grid->cosine + y;
  int64_t k = 0;
  for (; k + W <= count; k += W) {
    store(features + k, load(xSine + k) * load(yCosine + k) + load(xCosine + k) * load(ySine + k));
    store(features + count + k, load(xCosine + k) * load(yCosine + k) - load(xSine + k) * load(ySine + k));
  }
  for (; k < count; k++) {
    features[k] = xSine[k] * yCosine[k] + xCosine[k] * ySine[k];
    features[count + k] = xCosine[k] * yCosine[k] - xSine[k] * ySine[k];
  }
}
