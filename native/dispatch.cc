// Chooses the kernels that this machine can run.
#include <cstring>

#include "kernels.h"

namespace chladni {
#if defined(CHLADNI_X86)
extern const KernelTable kernelTable_avx512;
extern const KernelTable kernelTable_avx2;
#endif
extern const KernelTable kernelTable_baseline;

int availableKernels(const char* names[4]) {
  int count = 0;
#if defined(CHLADNI_X86)
  __builtin_cpu_init();  // also asks the operating system whether it saves the wide registers
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    names[count++] = "avx512";
  if (avx2) names[count++] = "avx2";
#endif
  names[count++] = "baseline";
  return count;
}

const KernelTable* selectKernels(const char* name) {
  const char* names[4];
  const int count = availableKernels(names);
  for (int i = 0; i < count; i++) {
    if (name && *name && std::strcmp(name, names[i]) != 0) continue;
#if defined(CHLADNI_X86)
    if (std::strcmp(names[i], "avx512") == 0) return &kernelTable_avx512;
    if (std::strcmp(names[i], "avx2") == 0) return &kernelTable_avx2;
#endif
    return &kernelTable_baseline;
  }
  return nullptr;
}

}  // namespace chladni
