/**
 * `npm run bench [-- --engine native|webgpu] [--quick] [--peers] [--force] [--out FOLDER]`: an engine against the limits of
 * the machine and against its peers. Prints a table and saves the figures as JSON.
 *
 * The native engine (bench/native.ts) is the default, and its peers run unless `--quick`. For webgpu (bench/webgpu/run.ts)
 * `--peers` adds PyTorch on the same GPU.
 */
import { messageOf, UsageError } from '../src/errors.ts';
import { parseBenchOptions } from './options.ts';

try {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options.engine === 'webgpu') {
    const { benchWebgpu } = await import('./webgpu/run.ts');
    process.exitCode = (await benchWebgpu(options)) ? 0 : 1;
  } else {
    const { benchNative } = await import('./native.ts');
    await benchNative(options.quick);
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`error: ${messageOf(error)}`);
  process.exitCode = 2;
}
