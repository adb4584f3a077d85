// What operations share: cutting work into runs for the pool's threads, and memory for what is between.
#pragma once
#include <memory>

#include "operations.h"

namespace chladni {

// Below this many elements one thread is done before another has woken up.
constexpr int64_t kGrain = 16384;

inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Memory that is written before it is read, so it isn't cleared.
template <class T>
std::unique_ptr<T[]> uninitialized(int64_t count) {
  return std::unique_ptr<T[]>(new T[static_cast<size_t>(count > 0 ? count : 1)]);
}

// Cuts [0, n) into runs; where the cuts fall does not matter to elementwise work.
template <class Work>
void parallelRuns(const Machine& machine, int64_t n, const Work& work) {
  machine.pool->run(ceilDivide(n, kGrain), 0, [&](int64_t unit, float*) {
    const int64_t start = unit * kGrain;
    work(start, smaller(kGrain, n - start));
  });
}

}  // namespace chladni
