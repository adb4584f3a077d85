#include "threadPool.h"

#include <cstdlib>
#include <new>

namespace chladni {

namespace {
// About how long a worker looks for more work before it sleeps: operations of a training step follow each other closely.
constexpr int kSpins = 4000;

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}
}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads), scratch_(threads_, nullptr) {
  for (int i = 1; i < threads_; i++) workers_.emplace_back([this, i] { serve(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
  for (float* s : scratch_) std::free(s);
}

void ThreadPool::growScratch(int64_t floats) {
  if (floats <= scratchFloats_) return;
  const size_t bytes = ((static_cast<size_t>(floats) * 4 + 4095) / 4096) * 4096;
  for (float*& s : scratch_) {
    std::free(s);
    s = nullptr;
  }
  scratchFloats_ = 0;
  for (float*& s : scratch_) {
    s = static_cast<float*>(std::aligned_alloc(4096, bytes));
    if (!s) throw std::bad_alloc();
  }
  scratchFloats_ = static_cast<int64_t>(bytes / 4);
}

void ThreadPool::drain(int index) {
  float* scratch = scratch_[index];
  if (scratch) *reinterpret_cast<int64_t*>(scratch) = -1;
  for (;;) {
    const int64_t unit = next_.fetch_add(1, std::memory_order_relaxed);
    if (unit >= units_) return;
    call_(work_, unit, scratch);
  }
}

void ThreadPool::serve(int index) {
  uint64_t seen = 0;
  for (;;) {
    int spins = 0;
    while (generation_.load(std::memory_order_acquire) == seen && ++spins < kSpins) pause();
    if (generation_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) return;
      seen = generation_.load(std::memory_order_relaxed);
      if (!open_) continue;  // woke up too late to help
      active_.fetch_add(1, std::memory_order_relaxed);
    }
    drain(index);
    std::lock_guard<std::mutex> lock(mutex_);
    if (active_.fetch_sub(1, std::memory_order_release) == 1) finished_.notify_one();
  }
}

void ThreadPool::runErased(int64_t units, int64_t scratchFloats, Call call, const void* work) {
  if (units <= 0) return;
  growScratch(scratchFloats > 16 ? scratchFloats : 16);
  units_ = units;
  call_ = call;
  work_ = work;
  next_.store(0, std::memory_order_relaxed);
  if (threads_ == 1 || units == 1) {
    drain(0);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  drain(0);
  // Only threads that joined are waited for, so one that the system has not woken yet costs nothing.
  std::unique_lock<std::mutex> lock(mutex_);
  open_ = false;
  lock.unlock();
  for (int spins = 0; spins < kSpins && active_.load(std::memory_order_acquire) != 0; spins++) pause();
  lock.lock();
  finished_.wait(lock, [&] { return active_.load(std::memory_order_acquire) == 0; });
}

}  // namespace chladni
