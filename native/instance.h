// What the bindings share: the machine of one Node environment.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>

#include <memory>

#include "arguments.h"
#include "operations.h"

namespace chladni {

struct Instance {
  std::unique_ptr<ThreadPool> pool;
  Machine machine{nullptr, nullptr};
};

inline const Machine& machineOf(const Instance& instance) {
  if (!instance.machine.kernels) throw Invalid("configure() comes first");
  return instance.machine;
}

inline void checkIndices(const int32_t* indices, int64_t count, int64_t rows) {
  for (int64_t i = 0; i < count; i++)
    if (indices[i] < 0 || indices[i] >= rows)
      throw Invalid("index " + std::to_string(indices[i]) + " is not one of " + std::to_string(rows) + " rows");
}

// Bindings of the field operation and of grids (addonField.cc).
napi_value field(napi_env, Instance&, Arguments&);
napi_value fieldOnGrid(napi_env, Instance&, Arguments&);
napi_value grid(napi_env, Instance&, Arguments&);

}  // namespace chladni
