// Fourier features of a grid of pixels. The phase 2π(fx·x + fy·y) is separable: sines and cosines are taken once for each
// column and row, in double precision (deep zooms need it), and a feature costs two products.
#pragma once
#include "../kernels.h"
#include "simd.h"

using namespace chladni;

typedef double vd __attribute__((vector_size(4 * CHLADNI_WIDTH)));
typedef int64_t vl __attribute__((vector_size(4 * CHLADNI_WIDTH)));
constexpr int D = W / 2;  // doubles in a vector

INLINE vd choose(vl mask, vd a, vd b) { return (vd)(((vl)a & mask) | ((vl)b & ~mask)); }

// sin and cos of 2π·turns (Cephes' polynomials).
INLINE void wave(vd turns, vd* sine, vd* cosine) {
  // In quarter turns, so that the reduction to [−½,½] is exact.
  const vd quarters = turns * 4.0;
  const vd shifted = quarters + 6755399441055744.0;  // 1.5·2⁵²: rounds to an integer, which its low bits are
  const vd r = (quarters - (shifted - 6755399441055744.0)) * 1.5707963267948966;
  const vl quadrant = (vl)shifted;
  const vd s = r * r;
  vd p = s * 1.58962301576546568060e-10 + -2.50507477628578072866e-8;
  p = p * s + 2.75573136213857245213e-6;
  p = p * s + -1.98412698295895385996e-4;
  p = p * s + 8.33333333332211858878e-3;
  p = p * s + -1.66666666666666307295e-1;
  const vd sinPart = r + r * s * p;
  vd q = s * -1.13585365213876817300e-11 + 2.08757008419747316778e-9;
  q = q * s + -2.75573141792967388112e-7;
  q = q * s + 2.48015872888517045348e-5;
  q = q * s + -1.38888888888730564116e-3;
  q = q * s + 4.16666666666665929218e-2;
  const vd cosPart = 1.0 - 0.5 * s + s * s * q;
  const vl swap = -(quadrant & 1);
  *sine = (vd)((vl)choose(swap, cosPart, sinPart) ^ ((quadrant & 2) << 62));
  *cosine = (vd)((vl)choose(swap, sinPart, cosPart) ^ (((quadrant + 1) & 2) << 62));
}

// sin and cos of 2π·f·position for positions [n] and frequencies [K] (every second number of `frequencies`), times gain:
// [n][K] each, worked out in double precision and rounded.
static void waves(const double* positions, int64_t n, const double* frequencies, const double* gain, int64_t count,
                  float* sine, float* cosine) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < count; k += D) {
      const int here = (int)smaller(D, count - k);
      vd turns = {}, g = {};
      for (int j = 0; j < here; j++) {
        turns[j] = frequencies[2 * (k + j)] * positions[i];
        g[j] = gain ? gain[k + j] : 1.0;
      }
      vd s, c;
      wave(turns, &s, &c);
      s *= g;
      c *= g;
      for (int j = 0; j < here; j++) {
        sine[i * count + k + j] = (float)s[j];
        cosine[i * count + k + j] = (float)c[j];
      }
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
