// The physical limits that the bench measures its figures against.
#include <chrono>
#include <cstring>

#include "parallel.h"

namespace chladni {

namespace {
double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
}  // namespace

double measureFma(const Machine& machine, double seconds) {
  const int threads = machine.pool->threads();
  std::vector<double> done(threads * 8, 0.0);
  // Each round takes about a millisecond; the fastest counts, because the limit is what the machine can do.
  double best = 0;
  const auto start = std::chrono::steady_clock::now();
  do {
    const auto begin = std::chrono::steady_clock::now();
    machine.pool->run(threads, 0, [&](int64_t unit, float*) {
      float sink[2] = {0.999999f, 1e-6f};
      done[unit * 8] = machine.kernels->fmaLoop(200000, sink);
      if (sink[0] == 12345.0f) done[unit * 8] = 0;
    });
    const double rate = done[0] * threads / secondsSince(begin);
    if (rate > best) best = rate;
  } while (secondsSince(start) < seconds);
  return best;
}

double measureCopy(const Machine& machine, int64_t floats, double seconds) {
  auto x = uninitialized<float>(floats), y = uninitialized<float>(floats);
  std::memset(x.get(), 0, static_cast<size_t>(floats) * 4);
  std::memset(y.get(), 0, static_cast<size_t>(floats) * 4);
  double best = 0;
  int round = 0;
  const auto start = std::chrono::steady_clock::now();
  do {
    const auto begin = std::chrono::steady_clock::now();
    const int64_t share = ceilDivide(floats, machine.pool->threads());
    machine.pool->run(machine.pool->threads(), 0, [&](int64_t unit, float*) {
      // By turns the library's copy and a plain loop of vectors: which is faster depends on the machine.
      const int64_t at = unit * share, n = smaller(share, floats - at);
      if (round % 2 == 0) machine.kernels->copy(x.get() + at, y.get() + at, n);
      else machine.kernels->unary(Unary::Neg, x.get() + at, y.get() + at, n, 0, 0);
    });
    round++;
    const double rate = 8.0 * static_cast<double>(floats) / secondsSince(begin);
    if (rate > best) best = rate;
  } while (secondsSince(start) < seconds);
  return best;
}

}  // namespace chladni
