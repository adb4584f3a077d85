// The one inner loop under everything that multiplies: a block of rows × panel columns of C stays in registers while
// it runs down the shared dimension. B is packed in panels of up to kPanel vectors; A is read as broadcast scalars.
#pragma once
#include "simd.h"

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kPanel = 4;  // 32 registers: 6×4 accumulators, 4 of B, 1 broadcast
#else
constexpr int kPanel = 2;  // 16 registers: 6×2 accumulators, 2 of B, 1 broadcast
#endif
constexpr int64_t kPanelColumns = kPanel * W;
constexpr int64_t kRowSlack = 12;  // rows that a block may read beyond the last

// What becomes of a finished block. `aux` is laid out like C.
enum class Epilogue { Store, Add, Bias, BiasRelu, ReluMask, Multiply };

// Rows of the largest block for a panel of `nv` vectors: enough accumulators to hide the latency of the FMA.
constexpr int blockRows(int nv) {
  return kPanel == 4 ? (nv == 4 ? 6 : nv == 3 ? 8 : 12) : (nv == 2 ? 6 : 12);
}

// Calls f(0), …, f(N−1) with the index as a constant, so that arrays indexed by it become registers.
template <int I>
struct Index {
  constexpr operator int() const { return I; }
};
#define ALWAYS_INLINE __attribute__((always_inline))
template <int N, class F>
INLINE void unroll(const F& f) {
  if constexpr (N > 0) {
    unroll<N - 1>(f);
    f(Index<N - 1>{});
  }
}

// RowMajor: A[r][k] = a[r·lda + k]. Otherwise A[r][k] = a[k·lda + r]. Rows from `rows` on are computed, never stored.
template <int MR, int NV, bool RowMajor, Epilogue E>
static void block(int64_t depth, const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
                  const float* aux, int64_t rows) {
  vf acc[MR][NV];
  unroll<MR>([&](auto r) ALWAYS_INLINE {
    unroll<NV>([&](auto v) ALWAYS_INLINE {
      constexpr bool biased = E == Epilogue::Bias || E == Epilogue::BiasRelu;
      acc[r][v] = biased ? load(aux + v * W) : vf{};
    });
  });
  // One pointer per three rows: x86 addresses p, p + s and p + 2s alike.
  constexpr int groups = RowMajor ? (MR + 2) / 3 : 1;
  const float* group[groups];
  unroll<groups>([&](auto g) ALWAYS_INLINE { group[g] = a + 3 * g * lda; });
  for (int64_t k = 0; k < depth; k++) {
    vf bv[NV];
    unroll<NV>([&](auto v) ALWAYS_INLINE { bv[v] = load(b + v * W); });
    b += ldb;
    unroll<MR>([&](auto r) ALWAYS_INLINE {
      const vf s = splat(RowMajor ? group[r / 3][(r % 3) * lda] : group[0][r]);
      unroll<NV>([&](auto v) ALWAYS_INLINE { acc[r][v] += s * bv[v]; });
    });
    unroll<groups>([&](auto g) ALWAYS_INLINE { group[g] += RowMajor ? 1 : lda; });
  }
  unroll<MR>([&](auto r) ALWAYS_INLINE {
    if (r >= rows) return;
    unroll<NV>([&](auto v) ALWAYS_INLINE {
      float* to = c + r * ldc + v * W;
      vf value = acc[r][v];
      if constexpr (E == Epilogue::Add) value += load(to);
      if constexpr (E == Epilogue::BiasRelu) value = maximum(value, vf{});
      if constexpr (E == Epilogue::ReluMask) value = select(load(aux + r * ldc + v * W) > 0.0f, value, vf{});
      if constexpr (E == Epilogue::Multiply) value *= load(aux + r * ldc + v * W);
      store(to, value);
    });
  });
}

// All rows of one panel: full blocks, then the smallest of a few tail blocks that covers what is left.
template <int NV, bool RowMajor, Epilogue E>
static void panelRows(int64_t rows, int64_t depth, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
                      int64_t ldc, const float* aux) {
  constexpr int MR = blockRows(NV);
  constexpr bool biased = E == Epilogue::Bias || E == Epilogue::BiasRelu;
  constexpr bool hasAux = E == Epilogue::ReluMask || E == Epilogue::Multiply || biased;
  const int64_t step = RowMajor ? lda : 1;
  int64_t r = 0;
  for (; r + MR <= rows; r += MR)
    block<MR, NV, RowMajor, E>(depth, a + r * step, lda, b, ldb, c + r * ldc, ldc, hasAux && !biased ? aux + r * ldc : aux, MR);
  if (r == rows) return;
  a += r * step;
  c += r * ldc;
  if (hasAux && !biased) aux += r * ldc;
  const int64_t left = rows - r;
  if (left <= 2) return block<2, NV, RowMajor, E>(depth, a, lda, b, ldb, c, ldc, aux, left);
  if (left <= 4) return block<4, NV, RowMajor, E>(depth, a, lda, b, ldb, c, ldc, aux, left);
  if constexpr (MR > 8) {
    if (left <= 8) return block<8, NV, RowMajor, E>(depth, a, lda, b, ldb, c, ldc, aux, left);
  }
  block<MR, NV, RowMajor, E>(depth, a, lda, b, ldb, c, ldc, aux, left);
}

// C = A·B; rows of C (and aux) are padded to whole vectors. B is packed by `packPanels` where `ldb` is 0, and otherwise
// a matrix whose rows, `ldb` floats apart, are padded to whole vectors.
template <bool RowMajor, Epilogue E>
static void multiply(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t lda, const float* b,
                     int64_t ldb, float* c, int64_t ldc, const float* aux) {
  constexpr bool hasAux = E != Epilogue::Store && E != Epilogue::Add;
  for (int64_t n = 0; n < columns; n += kPanelColumns) {
    const int64_t vectors = smaller(kPanel, (columns - n + W - 1) / W);
    const float* panel = ldb ? b + n : b + n * depth;
    const int64_t step = ldb ? ldb : vectors * W;
    const float* x = hasAux ? aux + n : aux;
    if constexpr (kPanel == 4) {
      if (vectors == 4) panelRows<4, RowMajor, E>(rows, depth, a, lda, panel, step, c + n, ldc, x);
      if (vectors == 3) panelRows<3, RowMajor, E>(rows, depth, a, lda, panel, step, c + n, ldc, x);
    }
    if (vectors == 2) panelRows<2, RowMajor, E>(rows, depth, a, lda, panel, step, c + n, ldc, x);
    if (vectors == 1) panelRows<1, RowMajor, E>(rows, depth, a, lda, panel, step, c + n, ldc, x);
  }
}

INLINE int64_t packedFloats(int64_t depth, int64_t columns) { return depth * roundUp(columns, W); }

// y[columns, rows] = transposed x[rows, columns], in 4×4 blocks of four-lane vectors.
typedef float v4 __attribute__((vector_size(16)));
typedef float v4Unaligned __attribute__((vector_size(16), aligned(4), may_alias));
static void transposeMatrix(const float* x, int64_t ldx, float* y, int64_t ldy, int64_t rows, int64_t columns) {
  // In strips of 16 rows, so that each line of y is written while it is in the cache.
  for (int64_t strip = 0; strip < rows; strip += 16) {
    const int64_t end = smaller(strip + 16, rows);
    for (int64_t j = 0; j < columns; j += 4) {
      int64_t i = strip;
      if (j + 4 <= columns) {
        for (; i + 4 <= end; i += 4) {
          const float* p = x + i * ldx + j;
          v4 a = *(const v4Unaligned*)p, b = *(const v4Unaligned*)(p + ldx);
          v4 c = *(const v4Unaligned*)(p + 2 * ldx), d = *(const v4Unaligned*)(p + 3 * ldx);
          v4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
          v4 cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
          float* q = y + j * ldy + i;
          *(v4Unaligned*)q = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
          *(v4Unaligned*)(q + ldy) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
          *(v4Unaligned*)(q + 2 * ldy) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
          *(v4Unaligned*)(q + 3 * ldy) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
        }
      }
      for (; i < end; i++)
        for (int64_t jj = j; jj < smaller(j + 4, columns); jj++) y[jj * ldy + i] = x[i * ldx + jj];
    }
  }
}

// Packs B [depth, columns] (or, transposed, [columns, depth]) into panels, each [depth][its columns], zero-padded.
static void packPanels(const float* b, int64_t ldb, bool transposed, int64_t depth, int64_t columns, float* packed) {
  for (int64_t n = 0; transposed && n < columns; n += kPanelColumns) {
    const int64_t here = smaller(kPanelColumns, columns - n);
    const int64_t padded = roundUp(here, W);
    float* to = packed + n * depth;
    transposeMatrix(b + n * ldb, ldb, to, padded, here, depth);
    if (here < padded)
      for (int64_t k = 0; k < depth; k++)
        for (int64_t j = here; j < padded; j++) to[k * padded + j] = 0;
  }
  if (transposed) return;
  for (int64_t k = 0; k < depth; k++) {
    const float* from = b + k * ldb;
    for (int64_t n = 0; n < columns; n += kPanelColumns) {
      const int64_t here = smaller(kPanelColumns, columns - n);
      float* to = packed + n * depth + k * roundUp(here, W);
      int64_t j = 0;
      for (; j + W <= here; j += W) store(to + j, load(from + n + j));
      if (j < here) store(to + j, loadPart(from + n + j, here - j));
    }
  }
}

// Copies a block of a matrix to where its rows neither alias in the cache nor end at the edge of a page.
INLINE void copyBlock(const float* x, int64_t ldx, float* y, int64_t ldy, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t j = 0;
    for (; j + W <= columns; j += W) store(y + r * ldy + j, load(x + r * ldx + j));
    for (; j < columns; j++) y[r * ldy + j] = x[r * ldx + j];
  }
}
