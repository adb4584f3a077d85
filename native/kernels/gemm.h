// General matrix products. One unit of work makes one block of C alone, in a fixed order.
#pragma once
#include "../kernels.h"
#include "microkernel.h"

using namespace chladni;

constexpr int64_t kDepthBlock = 192;
constexpr int64_t kColumnBlock = 512;
constexpr int64_t kRowBlock = 264;  // a multiple of every block height but 16

static void gemmPlan(const GemmArgs* g, GemmPlan* plan) {
  plan->rowBlocks = (g->m + kRowBlock - 1) / kRowBlock;
  plan->rowBlock = g->m > 0 ? roundUp((g->m + plan->rowBlocks - 1) / plan->rowBlocks, 12) : 12;
  // Wide enough that copying a block of A is nothing, narrow enough that there is work for many threads.
  const int64_t wanted = larger(1, 32 / larger(1, g->batch * plan->rowBlocks));
  plan->columnBlock = smaller(kColumnBlock, larger(roundUp((g->n + wanted - 1) / wanted, kPanelColumns), kPanelColumns));
  plan->columnBlocks = (g->n + plan->columnBlock - 1) / plan->columnBlock;
  plan->scratchFloats = (kRowBlock + kRowSlack) * (kDepthBlock + 16) + kDepthBlock * (kRowBlock + 32) +
                        kDepthBlock * kColumnBlock + kRowBlock * kPanelColumns + 256;
}

// One panel of C in memory that is not padded: whole vectors in place, the rest through a padded block.
template <bool RowMajor>
static void panelInto(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t lda, const float* packed,
                      float* c, int64_t ldc, bool add, float* padded) {
  if (columns % W == 0) {
    if (add) multiply<RowMajor, Epilogue::Add>(rows, columns, depth, a, lda, packed, 0, c, ldc, nullptr);
    else multiply<RowMajor, Epilogue::Store>(rows, columns, depth, a, lda, packed, 0, c, ldc, nullptr);
    return;
  }
  multiply<RowMajor, Epilogue::Store>(rows, columns, depth, a, lda, packed, 0, padded, kPanelColumns, nullptr);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < columns; j++)
      c[r * ldc + j] = padded[r * kPanelColumns + j] + (add ? c[r * ldc + j] : 0.0f);
}

static void gemmUnit(const GemmArgs* g, const GemmPlan* plan, int64_t unit, float* scratch) {
  const int64_t columnBlock = unit % plan->columnBlocks, rest = unit / plan->columnBlocks;
  const int64_t r0 = rest % plan->rowBlocks * plan->rowBlock, c0 = columnBlock * plan->columnBlock;
  const int64_t batch = rest / plan->rowBlocks;
  const int64_t rows = smaller(plan->rowBlock, g->m - r0), columns = smaller(plan->columnBlock, g->n - c0);
  const float* a = g->a + batch * g->strideA;
  const float* b = g->b + batch * g->strideB;
  float* c = g->c + batch * g->m * g->n + r0 * g->n + c0;
  float* localA = scratch;
  float* packedB = localA + (kRowBlock + kRowSlack) * (kDepthBlock + 16) + kDepthBlock * (kRowBlock + 32);
  float* padded = packedB + kDepthBlock * kColumnBlock;
  if (g->k == 0)
    for (int64_t r = 0; r < rows; r++) memset(c + r * g->n, 0, (size_t)columns * 4);
  for (int64_t k0 = 0; k0 < g->k; k0 += kDepthBlock) {
    const int64_t depth = smaller(kDepthBlock, g->k - k0);
    // With 16 floats between rows more than a power of two, the rows of a block fall into different sets.
    const int64_t lda = g->transposeA ? roundUp(rows, 16) + 16 : roundUp(depth, 16) + 16;
    if (g->transposeA) copyBlock(a + k0 * g->lda + r0, g->lda, localA, lda, depth, rows);
    else copyBlock(a + r0 * g->lda + k0, g->lda, localA, lda, rows, depth);
    // All panels first: B is read in long runs, which memory likes, and each then waits in the second-level cache.
    if (g->transposeB) packPanels(b + c0 * g->ldb + k0, g->ldb, true, depth, columns, packedB);
    else packPanels(b + k0 * g->ldb + c0, g->ldb, false, depth, columns, packedB);
    for (int64_t n = 0; n < columns; n += kPanelColumns) {
      const int64_t here = smaller(kPanelColumns, columns - n);
      const float* panel = packedB + n * depth;
      if (g->transposeA) panelInto<false>(rows, here, depth, localA, lda, panel, c + n, g->n, k0 > 0, padded);
      else panelInto<true>(rows, here, depth, localA, lda, panel, c + n, g->n, k0 > 0, padded);
    }
  }
}
