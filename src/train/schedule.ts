import type { ScheduleConfig, TrainConfig } from '../config/schema.ts';

/** The learning rate of a step, as a fraction of the configured one: linear warm-up, then constant, cosine or exponential. */
export function scheduleFactor(schedule: ScheduleConfig, step: number, totalSteps: number): number {
  if (step < schedule.warmupSteps) return (step + 1) / schedule.warmupSteps;
  const remaining = Math.max(1, totalSteps - schedule.warmupSteps);
  const progress = Math.min(1, (step - schedule.warmupSteps) / remaining);
  const { finalFraction } = schedule;
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'cosine':
      return finalFraction + (1 - finalFraction) * 0.5 * (1 + Math.cos(Math.PI * progress));
    case 'exponential':
      return Math.max(finalFraction, 1e-6) ** progress;
  }
}

/** Steps between measurements during training, where a step sees so many images. */
export function stepsBetweenSamples(
  { sampleEverySteps, sampleEveryImages }: Pick<TrainConfig, 'sampleEverySteps' | 'sampleEveryImages'>,
  imagesPerStep: number,
): number {
  return sampleEveryImages === undefined
    ? sampleEverySteps
    : Math.max(1, Math.round(sampleEveryImages / imagesPerStep));
}
