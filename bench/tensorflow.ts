/** The training step of the bench on the tensorflow engine beside the native one, in turn (scripts/dev/tensorflow/verify.mjs). */
import { startEngine } from '../src/engine/engine.ts';
import { trainSteps } from './step.ts';

const rows: Record<string, { medianMilliseconds: number; firstLoss: number }> = {};
for (let round = 0; round < 2; round++) {
  for (const engine of ['tensorflow', 'native']) {
    await startEngine(engine);
    const { seconds, firstLoss } = await trainSteps(20);
    const milliseconds = 1000 * seconds.sort((a, b) => a - b)[seconds.length >> 1];
    rows[`${engine}, round ${round + 1}`] = { medianMilliseconds: Number(milliseconds.toFixed(1)), firstLoss };
  }
}
console.log('\nThe training step of `npm run bench` (64 images × 1024 points):');
console.table(rows);
