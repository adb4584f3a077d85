/**
 * What an experiment is: the parts' own schemas put together. The schema is the documentation: descriptions go into
 * `configs/schema.json`, so that editors complete and check configs, and every key has its default in one place.
 */
import { z } from 'zod';
import { type DataConfig, dataSchema } from '../data/schema.ts';
import { SOURCES } from '../data/sources/registry.ts';
import { CONDITIONERS, conditionerSchema } from '../models/conditioners/registry.ts';
import { encodingSchema } from '../models/encodings/registry.ts';
import { fieldSchema } from '../models/field.ts';
import type { ModelConfig } from '../models/generator.ts';
import { commonKeys } from '../objectives/objective.ts';
import { OBJECTIVES, type ObjectiveSettings, objectiveKeys, objectiveSchema } from '../objectives/registry.ts';

const positiveInteger = z.int().positive();

const scheduleSchema = z.strictObject({
  kind: z.enum(['constant', 'cosine', 'exponential']).default('cosine'),
  warmupSteps: z.int().nonnegative().default(0),
  finalFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('learning rate at the last step, as a fraction of the first'),
});

/** The loop's own keys of the `train` section; objectives bring theirs. */
const loopKeys = {
  ...commonKeys,
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.99),
  epsilon: z.number().positive().default(1e-8),
  schedule: scheduleSchema.prefault({}),
  emaDecay: z.number().min(0).lt(1).default(0.999).describe('of the averaged weights that are sampled; 0 turns it off'),
  logEverySteps: positiveInteger.default(20),
  sampleEverySteps: positiveInteger
    .default(500)
    .describe('steps between measurements of reconstructions, with sheets of them and of samples'),
  sampleEveryImages: positiveInteger
    .optional()
    .describe('the same in images seen, train.batch a step (objective fit: all); in place of sampleEverySteps'),
  checkpointEverySteps: positiveInteger.default(250),
};

const evaluateSchema = z.strictObject({
  scales: z
    .array(positiveInteger)
    .default([1, 2, 4])
    .describe('multiples of the training size at which reconstructions are compared with the source'),
  images: positiveInteger.default(64).describe('images compared at scales above 1'),
  samples: z
    .int()
    .nonnegative()
    .default(1000)
    .describe('random samples compared with the training images (never more than there are of those); 0: none'),
  disturbed: z
    .int()
    .nonnegative()
    .default(16)
    .describe(
      'images whose latents, weights, coordinates and frequencies are disturbed (fewer images: more often); 0: none',
    ),
});

/** The first keys of a config. */
const firstKeys = {
  plugins: z
    .array(z.string())
    .optional()
    .describe('modules with parts of your own (docs/extending.md); paths relative to this file'),
  name: z
    .string()
    .regex(/^\w[\w.-]*$/, 'may hold letters, digits, ".", "_" and "-", and starts with a letter or digit')
    .default('experiment')
    .describe('names the run folder: runs/NAME'),
};

export interface Experiment {
  plugins?: string[];
  name: string;
  objective: string;
  seed: number;
  engine: string;
  data: DataConfig;
  model: ModelConfig;
  train: z.infer<z.ZodObject<typeof loopKeys>> & ObjectiveSettings;
  evaluate: z.infer<typeof evaluateSchema>;
}

/** The schema of a complete experiment, with the parts that are registered by now. */
export function experimentSchema(): z.ZodType<Experiment> {
  const schema = z
    .strictObject({
      ...firstKeys,
      objective: objectiveSchema(),
      seed: z.int().nonnegative().default(0),
      engine: z.string().default('auto').describe('which engine computes; see `npm run doctor`'),
      data: dataSchema().prefault({}),
      model: z
        .strictObject({
          encoding: encodingSchema().prefault({ kind: 'gaussian' }),
          field: fieldSchema.prefault({}),
          conditioner: conditionerSchema().prefault({ kind: 'hypernetwork' }),
        })
        .prefault({}),
      train: z.strictObject({ ...loopKeys, ...objectiveKeys(Object.keys(loopKeys)) }).prefault({}),
      evaluate: evaluateSchema.prefault({}),
    })
    .superRefine((experiment, context) => {
      const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
      const { source, path } = experiment.data;
      if (SOURCES.get(source).needsPath && path === undefined) {
        refuse(['data', 'path'], `source "${source}" needs a path`);
      }
      const { field, conditioner } = experiment.model;
      if (field.skip !== undefined && field.skip >= field.depth) {
        refuse(
          ['model', 'field', 'skip'],
          `must be below model.field.depth (${field.depth}): a hidden layer has to follow`,
        );
      }
      const { kind, ...settings } = conditioner;
      const hasLatents = CONDITIONERS.get(kind).make(settings).latentSize !== undefined;
      const { conditioning } = OBJECTIVES.get(experiment.objective);
      if (hasLatents !== (conditioning === 'latents')) {
        const [wanted, found, such] = hasLatents
          ? ['without latents', 'has some', 'direct']
          : ['with latents', 'has none', 'hypernetwork'];
        refuse(
          ['model', 'conditioner', 'kind'],
          `objective ${experiment.objective} needs a conditioner ${wanted}, such as "${such}"; "${kind}" ${found}`,
        );
      }
    });
  return schema as unknown as z.ZodType<Experiment>;
}

export type TrainConfig = Experiment['train'];
export type ScheduleConfig = TrainConfig['schedule'];
export type EvaluateConfig = Experiment['evaluate'];
