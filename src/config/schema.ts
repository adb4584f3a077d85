/**
 * What an experiment is. The schema is the documentation: descriptions go into `configs/schema.json`, so that editors
 * complete and check configs, and every key has its default here and nowhere else.
 */
import { z } from 'zod';

const positiveInteger = z.int().positive();
const positive = z.number().positive();

const sizeSchema = z
  .union([positiveInteger, z.string().regex(/^[1-9]\d*x[1-9]\d*$/, 'must be a whole number or WIDTHxHEIGHT')])
  .describe('training size in pixels: one number for a square, or "WIDTHxHEIGHT"');

const dataSchema = z.strictObject({
  source: z
    .enum(['fluent-emoji', 'photo', 'folder', 'zip'])
    .default('fluent-emoji')
    .describe(
      'fluent-emoji: 1,594 vector emoji from npm; photo: a CC0 photograph from npm; folder: your images; zip: a StyleGAN-style archive',
    ),
  path: z.string().optional().describe('folder or zip file (relative to where the command runs)'),
  size: sizeSchema.default(64),
  fit: z
    .enum(['crop', 'pad', 'stretch'])
    .default('crop')
    .describe('how an image of another shape is made to fit: centre crop, pad with the background, or stretch'),
  background: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as "#ffffff"')
    .default('#ffffff')
    .describe('colour under transparent pixels and padding'),
  limit: positiveInteger.optional().describe('use only this many images, spread evenly over the sorted list'),
  noise: z
    .number()
    .nonnegative()
    .default(0)
    .describe(
      'standard deviation of white Gaussian noise added to what is trained on (colours are in [0,1]), the same for an image in every step; measurements stay against the clean images',
    ),
  cache: z.string().default('.cache/chladni').describe('folder of the packed caches'),
});

const encodingSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('none'),
      range: z
        .enum(['unit', 'signed'])
        .default('signed')
        .describe('coordinates in [0,1] (Tancik et al. 2020) or [-1,1] (Sitzmann et al. 2020)'),
    }),
    z.strictObject({ kind: z.literal('basic') }),
    z.strictObject({
      kind: z.literal('positional'),
      frequencies: positiveInteger.default(128).describe('frequencies per axis'),
      maxLog2: positive
        .default(6)
        .describe('log2 of the highest frequency (Tancik et al. 2020: 6 for photos, 5 for text)'),
    }),
    z.strictObject({
      kind: z.literal('gaussian'),
      frequencies: positiveInteger.default(256).describe('number of random frequencies; features are twice as many'),
      sigma: positive.default(10).describe('standard deviation of the frequencies, in cycles per image'),
    }),
  ])
  .describe('how coordinates become features');

const fieldSchema = z.strictObject({
  width: positiveInteger.default(64).describe('units of each hidden layer'),
  depth: positiveInteger.default(3).describe('number of hidden layers'),
  skip: positiveInteger
    .optional()
    .describe(
      'after this many hidden layers the features enter once more, beside the activations (DeepSDF, NeRF); below depth; absent: never',
    ),
  activation: z.enum(['relu', 'leakyRelu', 'gelu', 'sine', 'finer', 'gaussian']).default('relu'),
  omega: positive.default(30).describe('frequency ω₀ of the sine and FINER activations, inverse width of the Gaussian'),
  output: z.enum(['linear', 'sigmoid']).default('sigmoid'),
});

const latentShape = {
  latent: positiveInteger.default(128).describe('dimensions of the latent code'),
  mapping: z.array(positiveInteger).default([256, 256]).describe('widths of the mapping network from the latent'),
};

const conditionerSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('direct') }),
    z.strictObject({ kind: z.literal('hypernetwork'), ...latentShape }),
    z.strictObject({
      kind: z.literal('lowRank'),
      ...latentShape,
      rank: positiveInteger.default(8).describe('rank of the multiplicative modulation of each layer'),
    }),
  ])
  .describe("how a latent becomes the field's weights");

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

const trainSchema = z.strictObject({
  steps: positiveInteger.default(2000),
  batch: positiveInteger.default(32).describe('images per step (objective fit always takes all)'),
  points: positiveInteger.default(1024).describe('pixels per image and step; all of them where an image has fewer'),
  learningRate: positive.default(1e-3),
  latentLearningRate: positive.default(1e-2),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.99),
  epsilon: positive.default(1e-8),
  schedule: scheduleSchema.prefault({}),
  latentStandardDeviation: positive.default(0.1).describe('of the initial latents, per dimension'),
  latentPenalty: z
    .number()
    .nonnegative()
    .default(1e-4)
    .describe('weight of the mean squared norm of the latents in the loss'),
  precision: z
    .enum(['float32', 'mixed'])
    .default('float32')
    .describe('mixed: 16-bit products with 32-bit sums in the field, on GPUs with matrix units; elsewhere as float32'),
  latentNoise: z
    .number()
    .nonnegative()
    .default(0)
    .describe('standard deviation of the noise added to latents during training: smooths the latent space'),
  emaDecay: z.number().min(0).lt(1).default(0.999).describe('of the averaged weights that are sampled; 0 turns it off'),
  logEverySteps: positiveInteger.default(20),
  sampleEverySteps: positiveInteger
    .default(500)
    .describe('steps between measurements of reconstructions, with sheets of them and of samples'),
  sampleEveryImages: positiveInteger
    .optional()
    .describe('the same in images seen, train.batch a step (objective fit: all); in place of sampleEverySteps'),
  checkpointEverySteps: positiveInteger.default(250),
});

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

export const experimentSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^\w[\w.-]*$/, 'may hold letters, digits, ".", "_" and "-", and starts with a letter or digit')
      .default('experiment')
      .describe('names the run folder: runs/NAME'),
    objective: z
      .enum(['autodecoder', 'fit'])
      .default('autodecoder')
      .describe('autodecoder: one latent per image, trained with the model; fit: one field per image, no latent'),
    seed: z.int().nonnegative().default(0),
    engine: z.string().default('auto').describe('which engine computes; see `npm run doctor`'),
    data: dataSchema.prefault({}),
    model: z
      .strictObject({
        encoding: encodingSchema.prefault({ kind: 'gaussian' }),
        field: fieldSchema.prefault({}),
        conditioner: conditionerSchema.prefault({ kind: 'hypernetwork' }),
      })
      .prefault({}),
    train: trainSchema.prefault({}),
    evaluate: evaluateSchema.prefault({}),
  })
  .superRefine((experiment, context) => {
    const { source, path } = experiment.data;
    if ((source === 'folder' || source === 'zip') && path === undefined) {
      context.addIssue({ code: 'custom', path: ['data', 'path'], message: `source "${source}" needs a path` });
    }
    const { skip, depth } = experiment.model.field;
    if (skip !== undefined && skip >= depth) {
      context.addIssue({
        code: 'custom',
        path: ['model', 'field', 'skip'],
        message: `must be below model.field.depth (${depth}): a hidden layer has to follow`,
      });
    }
    if ((experiment.objective === 'fit') !== (experiment.model.conditioner.kind === 'direct')) {
      context.addIssue({
        code: 'custom',
        path: ['model', 'conditioner', 'kind'],
        message: 'the conditioner must be "direct" with objective fit, and only then',
      });
    }
  });

/** A complete experiment: every key present, every value checked. */
export type Experiment = z.infer<typeof experimentSchema>;
export type DataConfig = Experiment['data'];
export type ModelConfig = Experiment['model'];
export type EncodingConfig = ModelConfig['encoding'];
export type FieldConfig = ModelConfig['field'];
export type ConditionerConfig = ModelConfig['conditioner'];
export type TrainConfig = Experiment['train'];
export type ScheduleConfig = TrainConfig['schedule'];
export type EvaluateConfig = Experiment['evaluate'];

/** Width and height that `data.size` stands for. */
export function trainingSize(data: Pick<DataConfig, 'size'>): { width: number; height: number } {
  if (typeof data.size === 'number') return { width: data.size, height: data.size };
  const [width, height] = data.size.split('x').map(Number);
  return { width, height };
}
