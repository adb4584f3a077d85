/** Saves checkpoints of one folder as fast as it can until it is killed; says each step that `save` has promised. */
import { CheckpointStore } from '../../src/run/checkpoints.ts';
import { MetricsLog } from '../../src/run/metricsLog.ts';

const [folder, first] = process.argv.slice(2);
const store = new CheckpointStore(`${folder}/checkpoints`);
const metrics = await MetricsLog.open(`${folder}/metrics.jsonl`, { resumeAtStep: Number(first) - 1 });
for (let step = Number(first); ; step++) {
  metrics.append({ step, wallSeconds: step / 10, loss: 1 / step });
  const data = (length: number) => new Float32Array(length).fill(step);
  await store.save(
    step,
    {
      large: { dtype: 'F32', shape: [100_000], data: data(100_000) },
      small: { dtype: 'F32', shape: [3], data: data(3) },
    },
    { origin: `step ${step}` },
    { best: step % 5 === 0 },
  );
  process.stdout.write(`${step}\n`);
}
