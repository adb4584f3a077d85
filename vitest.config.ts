import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // One process per file: TensorFlow.js keeps one global engine, and tests choose different ones.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
