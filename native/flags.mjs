/** Compiler flags of the native engine. */

export const COMMON = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-Wall',
  '-Wextra',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-ffp-contract=fast',
];
/** The flags of each instruction set; the sets beyond the baseline exist on x86 alone. */
const AVX512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mprefer-vector-width=512'];
export const TABLES =
  process.arch === 'x64' ? { avx512: AVX512, avx2: ['-mavx2', '-mfma'], baseline: [] } : { baseline: [] };
