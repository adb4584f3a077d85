// Operations over strided boxes: binary functions with every broadcast, copies.
#include <utility>

#include "parallel.h"

namespace chladni {

namespace {

// Merges neighbouring dimensions that every operand walks alike, so that inner runs are as long as they can be.
int collapse(int rank, const int64_t* shape, const int64_t* const* strides, int operands, int64_t* outShape,
             int64_t (*outStrides)[kMaxRank + 1]) {
  int count = 0;
  for (int d = 0; d < rank; d++) {
    if (shape[d] == 1) continue;
    bool merges = count > 0;
    for (int o = 0; o < operands && merges; o++) merges = outStrides[o][count - 1] == strides[o][d] * shape[d];
    if (merges) count--;
    outShape[count] = (merges ? outShape[count] : 1) * shape[d];
    for (int o = 0; o < operands; o++) outStrides[o][count] = strides[o][d];
    count++;
  }
  if (count == 0) {
    outShape[0] = 1;
    for (int o = 0; o < operands; o++) outStrides[o][0] = 1;
    count = 1;
  }
  return count;
}

// Calls work(offsets of each operand) for the runs [first, first + count) along all but the last `inner` dimensions.
template <int Operands, class Work>
void forRuns(int rank, const int64_t* shape, const int64_t (*strides)[kMaxRank + 1], int64_t first, int64_t count,
             const Work& work) {
  int64_t index[kMaxRank + 1] = {};
  int64_t offsets[Operands] = {};
  for (int d = rank - 1; d >= 0; d--) {
    index[d] = first % shape[d];
    first /= shape[d];
    for (int o = 0; o < Operands; o++) offsets[o] += index[d] * strides[o][d];
  }
  for (int64_t run = 0; run < count; run++) {
    work(offsets);
    for (int d = rank - 1; d >= 0; d--) {
      for (int o = 0; o < Operands; o++) offsets[o] += strides[o][d];
      if (++index[d] < shape[d]) break;
      for (int o = 0; o < Operands; o++) offsets[o] -= strides[o][d] * shape[d];
      index[d] = 0;
    }
  }
}

template <int Operands, class Work>
void parallelForRuns(const Machine& machine, int rank, const int64_t* shape, const int64_t (*strides)[kMaxRank + 1],
                     int64_t runElements, const Work& work) {
  int64_t runs = 1;
  for (int d = 0; d < rank; d++) runs *= shape[d];
  const int64_t runsPerUnit = kGrain / (runElements > 0 ? runElements : 1) + 1;
  machine.pool->run(ceilDivide(runs, runsPerUnit), 0, [&](int64_t unit, float*) {
    const int64_t first = unit * runsPerUnit;
    forRuns<Operands>(rank, shape, strides, first, smaller(runsPerUnit, runs - first), work);
  });
}

}  // namespace

void runBinary(const Machine& machine, Binary op, int rank, const int64_t* fullShape, const float* a,
               const int64_t* strideA, const float* b, const int64_t* strideB, float* y) {
  int64_t strideY[kMaxRank], elements = 1;
  for (int d = rank - 1; d >= 0; d--) {
    strideY[d] = elements;
    elements *= fullShape[d];
  }
  if (elements == 0) return;
  const int64_t* all[3] = {strideA, strideB, strideY};
  int64_t shape[kMaxRank + 1], strides[3][kMaxRank + 1];
  int dims = collapse(rank, fullShape, all, 3, shape, strides);
  if (dims == 1) {
    // One long run: cut it, so that threads can share it.
    const bool aScalar = strides[0][0] == 0, bScalar = strides[1][0] == 0;
    parallelRuns(machine, shape[0], [&](int64_t at, int64_t n) {
      machine.kernels->binary(op, a + (aScalar ? 0 : at), aScalar, b + (bScalar ? 0 : at), bScalar, y + at, n);
    });
    return;
  }
  dims--;
  const int64_t n = shape[dims];
  const bool aScalar = strides[0][dims] == 0, bScalar = strides[1][dims] == 0;
  parallelForRuns<3>(machine, dims, shape, strides, n, [&](const int64_t* at) {
    machine.kernels->binary(op, a + at[0], aScalar, b + at[1], bScalar, y + at[2], n);
  });
}

void runStridedCopy(const Machine& machine, int rank, const int64_t* fullShape, const float* x, const int64_t* strideX,
                    float* y, const int64_t* strideY) {
  for (int d = 0; d < rank; d++)
    if (fullShape[d] == 0) return;
  const int64_t* all[2] = {strideX, strideY};
  int64_t shape[kMaxRank + 1], strides[2][kMaxRank + 1];
  int dims = collapse(rank, fullShape, all, 2, shape, strides);
  // A transposed pair of dimensions goes through the cache in blocks.
  for (int d = 0; d + 1 < dims; d++) {
    const int last = dims - 1;
    if (strides[0][d] != 1 || strides[1][last] != 1) continue;
    const int64_t columns = shape[d], rows = shape[last], ldx = strides[0][last], ldy = strides[1][d];
    if (ldx == 0) break;
    // What is left of the shape: all dimensions but these two.
    int64_t outer[kMaxRank + 1], outerStrides[2][kMaxRank + 1];
    int outerDims = 0;
    for (int e = 0; e < dims; e++) {
      if (e == d || e == last) continue;
      outer[outerDims] = shape[e];
      outerStrides[0][outerDims] = strides[0][e];
      outerStrides[1][outerDims] = strides[1][e];
      outerDims++;
    }
    int64_t outerRuns = 1;
    for (int e = 0; e < outerDims; e++) outerRuns *= outer[e];
    constexpr int64_t strip = 64;
    const int64_t strips = ceilDivide(columns, strip);
    const int64_t perUnit = kGrain / (rows * smaller(strip, columns)) + 1;
    machine.pool->run(ceilDivide(outerRuns * strips, perUnit), 0, [&](int64_t unit, float*) {
      for (int64_t i = unit * perUnit; i < smaller((unit + 1) * perUnit, outerRuns * strips); i++) {
        const int64_t first = i % strips * strip;
        int64_t run = i / strips, fromAt = first, toAt = first * ldy;
        for (int e = outerDims - 1; e >= 0; e--) {
          fromAt += run % outer[e] * outerStrides[0][e];
          toAt += run % outer[e] * outerStrides[1][e];
          run /= outer[e];
        }
        machine.kernels->transpose(x + fromAt, ldx, y + toAt, ldy, rows, smaller(strip, columns - first));
      }
    });
    return;
  }
  const bool contiguous = strides[0][dims - 1] == 1 && strides[1][dims - 1] == 1;
  if (contiguous && dims == 1) {
    parallelRuns(machine, shape[0], [&](int64_t at, int64_t n) { machine.kernels->copy(x + at, y + at, n); });
    return;
  }
  dims--;
  const int64_t n = shape[dims], sx = strides[0][dims], sy = strides[1][dims];
  parallelForRuns<2>(machine, dims, shape, strides, n, [&](const int64_t* at) {
    const float* from = x + at[0];
    float* to = y + at[1];
    if (sx == 1 && sy == 1) machine.kernels->copy(from, to, n);
    else
      for (int64_t i = 0; i < n; i++) to[i * sy] = from[i * sx];
  });
}

}  // namespace chladni
