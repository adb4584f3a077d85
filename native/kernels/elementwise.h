// Elementwise functions, reductions, and the optimiser's updates: one pass over memory each. Short runs at the end go
// through the same vector code, so that a value does not depend on where it stands.
#pragma once
#include "../kernels.h"
#include "vectorMath.h"

using namespace chladni;

template <Unary U>
INLINE vf apply(vf x, float p0, float p1) {
  if constexpr (U == Unary::Relu) return maximum(x, vf{});
  if constexpr (U == Unary::LeakyRelu) return select(x > 0.0f, x, x * p0);
  if constexpr (U == Unary::Sigmoid) return sigmoidVector(x);
  if constexpr (U == Unary::Tanh) return tanhVector(x);
  if constexpr (U == Unary::Exp) return expVector(x);
  if constexpr (U == Unary::Log) return logVector(x);
  if constexpr (U == Unary::Sqrt) return squareRoot(x);
  if constexpr (U == Unary::Rsqrt) return 1.0f / squareRoot(x);
  if constexpr (U == Unary::Square) return x * x;
  if constexpr (U == Unary::Neg) return -x;
  if constexpr (U == Unary::Abs) return absolute(x);
  if constexpr (U == Unary::Step) return select(x != x, x, select(x > 0.0f, splat(1.0f), splat(p0)));
  if constexpr (U == Unary::Reciprocal) return 1.0f / x;
  if constexpr (U == Unary::Sign) return select(x > 0.0f, splat(1.0f), select(x < 0.0f, splat(-1.0f), vf{}));
  if constexpr (U == Unary::Erf) return erfVector(x, expVector(-x * x));
  if constexpr (U == Unary::Softplus) {
    // max(x,0) + log(1 + e^−|x|)
    return maximum(x, vf{}) + logVector(1.0f + expVector(-absolute(x)));
  }
  if constexpr (U == Unary::Elu) return select(x >= 0.0f, x, expVector(x) - 1.0f);
  if constexpr (U == Unary::Relu6) return minimum(maximum(x, vf{}), splat(6.0f));
  if constexpr (U == Unary::Clip) return minimum(maximum(x, splat(p0)), splat(p1));
  vf sine, cosine;
  sinCosVector(x, &sine, &cosine);
  return U == Unary::Sin ? sine : cosine;
}

template <Unary U>
static void unaryRun(const float* x, float* y, int64_t n, float p0, float p1) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, apply<U>(load(x + i), p0, p1));
  if (i < n) storePart(y + i, apply<U>(loadPart(x + i, n - i), p0, p1), n - i);
}

template <int U>
INLINE void unaryDispatch(Unary op, const float* x, float* y, int64_t n, float p0, float p1) {
  if constexpr (U < (int)Unary::Count) {
    if ((int)op == U) return unaryRun<(Unary)U>(x, y, n, p0, p1);
    unaryDispatch<U + 1>(op, x, y, n, p0, p1);
  }
}
static void unary(Unary op, const float* x, float* y, int64_t n, float p0, float p1) {
  unaryDispatch<0>(op, x, y, n, p0, p1);
}

template <Binary B>
INLINE vf combine(vf a, vf b) {
  if constexpr (B == Binary::Add) return a + b;
  if constexpr (B == Binary::Sub) return a - b;
  if constexpr (B == Binary::Mul) return a * b;
  if constexpr (B == Binary::Div) return a / b;
  if constexpr (B == Binary::Max) return select(b != b, b, maximum(a, b));
  if constexpr (B == Binary::Min) return select(b != b, b, minimum(a, b));
  if constexpr (B == Binary::SquaredDifference) return (a - b) * (a - b);
  vf y;
  for (int i = 0; i < W; i++) y[i] = powf(a[i], b[i]);
  return y;
}

template <Binary B>
static void binaryRun(const float* a, bool aScalar, const float* b, bool bScalar, float* y, int64_t n) {
  const vf a0 = splat(a[0]), b0 = splat(b[0]);
  int64_t i = 0;
  if (aScalar) {
    for (; i + W <= n; i += W) store(y + i, combine<B>(a0, load(b + i)));
  } else if (bScalar) {
    for (; i + W <= n; i += W) store(y + i, combine<B>(load(a + i), b0));
  } else {
    for (; i + W <= n; i += W) store(y + i, combine<B>(load(a + i), load(b + i)));
  }
  if (i == n) return;
  storePart(y + i, combine<B>(aScalar ? a0 : loadPart(a + i, n - i), bScalar ? b0 : loadPart(b + i, n - i)), n - i);
}

template <int B>
INLINE void binaryDispatch(Binary op, const float* a, bool as, const float* b, bool bs, float* y, int64_t n) {
  if constexpr (B < (int)Binary::Count) {
    if ((int)op == B) return binaryRun<(Binary)B>(a, as, b, bs, y, n);
    binaryDispatch<B + 1>(op, a, as, b, bs, y, n);
  }
}
static void binary(Binary op, const float* a, bool as, const float* b, bool bs, float* y, int64_t n) {
  if (as && bs) {
    // Both fixed: one value, many times.
    float value;
    binaryDispatch<0>(op, a, false, b, false, &value, 1);
    for (int64_t i = 0; i < n; i++) y[i] = value;
    return;
  }
  binaryDispatch<0>(op, a, as, b, bs, y, n);
}

// Sums of at most kRun terms in float, and these in double: the error stays near one rounding however long the sum.
constexpr int64_t kRun = 64 * W;

static void sum(const float* x, float* y, int64_t reduce, int64_t inner, float scale) {
  if (inner == 1) {
    double total = 0;
    for (int64_t start = 0; start < reduce; start += kRun) {
      const int64_t end = smaller(start + kRun, reduce);
      vf acc[4] = {};
      int64_t i = start;
      for (; i + 4 * W <= end; i += 4 * W)
        for (int j = 0; j < 4; j++) acc[j] += load(x + i + j * W);
      for (; i + W <= end; i += W) acc[0] += load(x + i);
      if (i < end) acc[1] += loadPart(x + i, end - i);
      total += (double)sumLanes((acc[0] + acc[1]) + (acc[2] + acc[3]));
    }
    y[0] = (float)(total * (double)scale);
    return;
  }
  // Columns: several vectors at a time, in runs whose sums are compensated by a second level.
  for (int64_t j = 0; j < inner; j += W) {
    const int64_t here = smaller(W, inner - j);
    vf total = {};
    for (int64_t start = 0; start < reduce; start += 256) {
      const int64_t end = smaller(start + 256, reduce);
      vf acc[4] = {};
      int64_t r = start;
      if (here == W) {
        for (; r + 4 <= end; r += 4)
          for (int u = 0; u < 4; u++) acc[u] += load(x + (r + u) * inner + j);
        for (; r < end; r++) acc[0] += load(x + r * inner + j);
      } else {
        for (; r + 4 <= end; r += 4)
          for (int u = 0; u < 4; u++) acc[u] += loadPart(x + (r + u) * inner + j, here);
        for (; r < end; r++) acc[0] += loadPart(x + r * inner + j, here);
      }
      total += (acc[0] + acc[1]) + (acc[2] + acc[3]);
    }
    storePart(y + j, total * scale, here);
  }
}

static void addRows(const float* const* terms, int64_t count, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += W) {
    const int64_t here = smaller(W, n - i);
    vf total = loadPart(terms[0] + i, here);
    for (int64_t t = 1; t < count; t++) total += loadPart(terms[t] + i, here);
    storePart(y + i, total, here);
  }
}

// Kingma & Ba 2015, algorithm 1; ε outside the root.
static void adam(float* p, float* m, float* v, const float* g, int64_t n, float stepSize, double beta1, double beta2,
                 float epsilon, float inverseRootCorrection) {
  // 1 − β in double: in float 1 − 0.999 is already wrong in the fifth digit.
  const float keep1 = (float)beta1, new1 = (float)(1.0 - beta1), keep2 = (float)beta2, new2 = (float)(1.0 - beta2);
  for (int64_t i = 0; i < n; i += W) {
    const int64_t here = smaller(W, n - i);
    const bool whole = here == W;
    vf gradient = whole ? load(g + i) : loadPart(g + i, here);
    vf first = whole ? load(m + i) : loadPart(m + i, here);
    vf second = whole ? load(v + i) : loadPart(v + i, here);
    vf value = whole ? load(p + i) : loadPart(p + i, here);
    first = first * keep1 + gradient * new1;
    second = second * keep2 + gradient * gradient * new2;
    value -= stepSize * first / (squareRoot(second) * inverseRootCorrection + epsilon);
    if (whole) {
      store(m + i, first);
      store(v + i, second);
      store(p + i, value);
    } else {
      storePart(m + i, first, here);
      storePart(v + i, second, here);
      storePart(p + i, value, here);
    }
  }
}

static void ema(float* average, const float* value, int64_t n, double decay) {
  const float kept = (float)decay, added = (float)(1.0 - decay);
  int64_t i = 0;
  for (; i + W <= n; i += W) store(average + i, load(average + i) * kept + load(value + i) * added);
  if (i < n) {
    const int64_t left = n - i;
    storePart(average + i, loadPart(average + i, left) * kept + loadPart(value + i, left) * added, left);
  }
}
