// A fixed set of threads that share out numbered units of work, and a scratch buffer for each.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace chladni {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls work(unit, scratch) once for each unit in [0, units), in any order, on any thread, and waits. `scratch` holds at
  /// least `scratchFloats` floats, 64-byte aligned, of the thread alone; its first 8 bytes are −1 when the work begins.
  /// Throws std::bad_alloc where memory runs out.
  template <class Work>
  void run(int64_t units, int64_t scratchFloats, const Work& work) {
    runErased(units, scratchFloats, [](const void* w, int64_t unit, float* s) { (*static_cast<const Work*>(w))(unit, s); },
              &work);
  }

 private:
  using Call = void (*)(const void* work, int64_t unit, float* scratch);
  void runErased(int64_t units, int64_t scratchFloats, Call call, const void* work);
  void serve(int index);
  void drain(int index);
  void growScratch(int64_t floats);

  int threads_;
  std::vector<std::thread> workers_;
  std::vector<float*> scratch_;
  int64_t scratchFloats_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> active_{0};
  bool open_ = false, stopping_ = false;

  std::atomic<int64_t> next_{0};
  int64_t units_ = 0;
  Call call_ = nullptr;
  const void* work_ = nullptr;
};

}  // namespace chladni
