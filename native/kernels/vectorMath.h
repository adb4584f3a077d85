// Elementary functions on vectors. Error bounds are of float32 results against float64, found by the tests over the
// ranges named there: exp, log, tanh, sigmoid ≤ 4 units in the last place; sin, cos ≤ 2⁻²² absolute for any finite x.
#pragma once
#include <math.h>

#include "simd.h"

// Adding and taking away 1.5·2²³ rounds to the nearest integer; the sum's low bits are that integer.
constexpr float kRounder = 12582912.0f;


INLINE vf expVector(vf x) {
  const vf overflow = splat(88.72283f), underflow = splat(-87.33654f);
  vf clamped = minimum(maximum(x, underflow), overflow);
  vf shifted = clamped * 1.44269504f + kRounder;
  vf n = shifted - kRounder;
  vf r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // In two halves, because 2¹²⁸ is not a float although e^88.72 is.
  vi whole = asBits(shifted) - 0x4b400000;
  vi half = whole >> 1;
  vf y = p * asFloats((half + 127) << 23) * asFloats((whole - half + 127) << 23);
  y = select(x > overflow, splat(INFINITY), y);
  y = select(x < underflow, vf{}, y);
  return select(x != x, x, y);
}

INLINE vf sigmoidVector(vf x) { return 1.0f / (1.0f + expVector(-x)); }

INLINE vf tanhVector(vf x) {
  vf z = absolute(x);
  vf large = 1.0f - 2.0f / (expVector(z + z) + 1.0f);
  vf s = x * x;
  vf p = splat(-5.70498872745e-3f);
  p = p * s + 2.06390887954e-2f;
  p = p * s + -5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s + -3.33332819422e-1f;
  vf small = p * s * x + x;
  return select(z < 0.625f, small, withSignOf(large, x));
}

// Natural logarithm (Cephes logf).
INLINE vf logVector(vf x) {
  vi tiny = x < 1.17549435e-38f;
  vf scaled = select(tiny, x * 8388608.0f, x);
  vi bits = asBits(scaled);
  vi exponent = ((bits >> 23) & 0xff) - 126;
  vf m = asFloats((bits & 0x007fffff) | 0x3f000000);  // [½,1)
  vi low = m < 0.70710678f;
  vf e = __builtin_convertvector(exponent, vf) - select(low, splat(1.0f), vf{}) - select(tiny, splat(23.0f), vf{});
  vf r = m - 1.0f + select(low, m, vf{});
  vf s = r * r;
  vf p = splat(7.0376836292e-2f);
  p = p * r + -1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r + -1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r + -1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r + -2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  vf y = p * r * s + e * -2.12194440e-4f - 0.5f * s;
  y = r + y + e * 0.693359375f;
  y = select(x == 0.0f, splat(-INFINITY), y);
  y = select(x == INFINITY, splat(INFINITY), y);
  return select((x < 0.0f) | (vi)(x != x), splat(NAN), y);
}

constexpr float kLargestReduced = 8192.0f;

// Sine and cosine together: reduction by multiples of π/2 in three parts (Cody & Waite), minimax polynomials (Cephes).
// Lanes beyond ±8192 take the library's double precision functions instead.
INLINE void sinCosVector(vf x, vf* sine, vf* cosine) {
  vf shifted = x * 0.636619772f + kRounder;
  vf n = shifted - kRounder;
  vf r = x - n * 1.5703125f;
  r = r - n * 4.837512969970703125e-4f;
  r = r - n * 7.54978995489188216e-8f;
  vi quadrant = asBits(shifted) - 0x4b400000;
  vf s = r * r;
  vf sinPart = splat(-1.9515295891e-4f);
  sinPart = sinPart * s + 8.3321608736e-3f;
  sinPart = sinPart * s + -1.6666654611e-1f;
  sinPart = sinPart * s * r + r;
  vf cosPart = splat(2.443315711809948e-5f);
  cosPart = cosPart * s + -1.388731625493765e-3f;
  cosPart = cosPart * s + 4.166664568298827e-2f;
  cosPart = cosPart * s * s + (1.0f - 0.5f * s);
  vi swap = -(quadrant & 1);
  vf sinValue = select(swap, cosPart, sinPart);
  vf cosValue = select(swap, sinPart, cosPart);
  *sine = asFloats(asBits(sinValue) ^ ((quadrant & 2) << 30));
  *cosine = asFloats(asBits(cosValue) ^ (((quadrant + 1) & 2) << 30));
  vi far = ~(absolute(x) <= kLargestReduced);
  int32_t any = 0;
  for (int i = 0; i < W; i++) any |= far[i];
  if (__builtin_expect(any != 0, 0)) {
    for (int i = 0; i < W; i++) {
      if (!far[i]) continue;
      (*sine)[i] = (float)sin((double)x[i]);
      (*cosine)[i] = (float)cos((double)x[i]);
    }
  }
}

// Abramowitz & Stegun 7.1.26, |error| ≤ 1.5e-7, with e^(−x²) handed in because callers need it too.
INLINE vf erfVector(vf x, vf expOfMinusSquare) {
  vf z = absolute(x);
  vf t = 1.0f / (1.0f + 0.3275911f * z);
  vf p = splat(1.061405429f);
  p = p * t + -1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t + -0.284496736f;
  p = p * t + 0.254829592f;
  vf y = 1.0f - p * t * expOfMinusSquare;
  return withSignOf(maximum(y, vf{}), x);
}

INLINE vf squareRoot(vf x) {
  vf y;
  for (int i = 0; i < W; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
}
