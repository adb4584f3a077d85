// Vectors of the width that the compiler's flags allow, through the vector extensions that GCC and Clang share.
#pragma once
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define CHLADNI_WIDTH 16
#elif defined(__AVX2__)
#define CHLADNI_WIDTH 8
#else
#define CHLADNI_WIDTH 4
#endif

#define INLINE static inline __attribute__((always_inline))

constexpr int W = CHLADNI_WIDTH;
typedef float vf __attribute__((vector_size(4 * CHLADNI_WIDTH)));
typedef int32_t vi __attribute__((vector_size(4 * CHLADNI_WIDTH)));
typedef float vfUnaligned __attribute__((vector_size(4 * CHLADNI_WIDTH), aligned(4), may_alias));

INLINE vf load(const float* p) { return *(const vfUnaligned*)p; }
INLINE void store(float* p, vf v) { *(vfUnaligned*)p = v; }
INLINE vf splat(float s) { return s - vf{}; }  // exact for every s, −0 included
INLINE vf loadPart(const float* p, int64_t n) {
  vf v = {};
  memcpy(&v, p, (size_t)n * 4);
  return v;
}
INLINE void storePart(float* p, vf v, int64_t n) { memcpy(p, &v, (size_t)n * 4); }
INLINE vi asBits(vf v) { return (vi)v; }
INLINE vf asFloats(vi v) { return (vf)v; }
INLINE vf select(vi mask, vf a, vf b) { return asFloats((asBits(a) & mask) | (asBits(b) & ~mask)); }
// NaN in `a` comes through, as Math.max would have it.
INLINE vf maximum(vf a, vf b) { return (b > a) ? b : a; }
INLINE vf minimum(vf a, vf b) { return (b < a) ? b : a; }
INLINE vf absolute(vf a) { return asFloats(asBits(a) & 0x7fffffff); }
INLINE vf withSignOf(vf magnitude, vf sign) {
  return asFloats((asBits(magnitude) & 0x7fffffff) | (asBits(sign) & (int32_t)0x80000000));
}
INLINE float sumLanes(vf v) {
  // Pairwise, so that it is the same tree in every function.
  float lanes[W];
  memcpy(lanes, &v, sizeof lanes);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}
INLINE int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }
INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
