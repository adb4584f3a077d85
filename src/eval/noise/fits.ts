/**
 * The fits of a noise study: many of one size trained as one batch of fields, with identical initial weights and identical
 * batches of pixels, so that what differs between two of them is their targets alone.
 */
import type { Experiment } from '../../config/schema.ts';
import { RunError } from '../../errors.ts';
import { fullView } from '../../grid.ts';
import { fieldWeights, GENERATOR_STREAM, type Generator, initialGenerator } from '../../models/generator.ts';
import type { Objective } from '../../objectives/objective.ts';
import { type ColourSource, PixelBatches, pixelError, trainedSpec } from '../../objectives/pixelBatches.ts';
import { renderImagesFloat } from '../../render/render.ts';
import { type Scalar, tf, tidy } from '../../tf.ts';
import { trainLoop } from '../../train/loop.ts';
import { disposeState, initialState } from '../../train/state.ts';

/** `gd`: plain gradient descent, which the closed forms describe; `adam`: what people train with. */
export type Optimizer = 'adam' | 'gd';

export interface NoiseFits {
  /** Its `train` settings and seed are used; the objective is a fit's. */
  experiment: Experiment;
  generator: Generator;
  optimizer: Optimizer;
  width: number;
  height: number;
  /** One image [H,W,3] a field; values may leave [0,1]. */
  targets: readonly Float32Array[];
  /** Steps after which the fits are drawn, ascending; 0 is the untrained field. */
  drawAt: readonly number[];
  /** Called with the fits [H,W,3], neither clamped nor quantised. */
  onDrawn(step: number, fits: Float32Array[]): void;
  onStep?(step: number): void;
}

/**
 * Trains up to the last of `drawAt`. Each field minimises its own mean squared error over the step's pixels; its path
 * does not depend on how many others are trained beside it.
 *
 * @throws RunError where a loss is no longer finite.
 */
export async function trainNoiseFits(fits: NoiseFits): Promise<void> {
  const { experiment, generator, width, height, drawAt, onDrawn, onStep } = fits;
  const { seed, train } = experiment;
  const objective = noiseObjective(fits);
  const state = initialState(objective, seed, false);
  const batches = new PixelBatches({
    source: colourSource(fits),
    encoding: generator.encoding,
    seed,
    points: train.points,
    batch: 'all',
  });
  const view = fullView(width, height);
  try {
    await trainLoop({
      objective,
      batches,
      state,
      settings: train,
      watcher: {
        onStep({ step, losses, wasMade }) {
          if (wasMade) onStep?.(step);
          else throw new RunError(`the loss became ${losses.fits} at step ${step}; lower the learning rate`);
        },
        wantsState: (step) => drawAt.includes(step),
        async onState({ step, parameters }) {
          const weights = tidy(() => fieldWeights(generator, parameters));
          const { encoding, spec } = generator;
          onDrawn(
            step,
            await renderImagesFloat({ encoding, encodingParameters: parameters, spec, training: view, weights }, view),
          );
          return false;
        },
      },
    });
  } finally {
    batches.dispose();
    disposeState(state);
  }
}

/** The sum of the fields' own errors: the gradient of each field's is then its own, however many there are. */
function noiseObjective({
  experiment,
  generator,
  optimizer,
  targets,
}: NoiseFits): Pick<Objective, 'groups' | 'phases'> {
  const { train } = experiment;
  const spec = trainedSpec(generator, train.precision);
  return {
    groups: {
      fields: {
        initial: initialGenerator(generator, targets.length),
        stream: GENERATOR_STREAM,
        learningRate: train.learningRate,
        optimizer,
        averaged: false,
      },
    },
    phases: [
      {
        name: 'fits',
        trains: ['fields'],
        loss(parameters, batch) {
          const error = pixelError(generator, spec, parameters, undefined, batch);
          return { minimise: tf.mul(error, targets.length) as Scalar };
        },
      },
    ],
  };
}

function colourSource({ width, height, targets }: NoiseFits): ColourSource {
  return {
    count: targets.length,
    width,
    height,
    colours(images, pixels) {
      const values = new Float32Array(images.length * pixels.length * 3);
      let at = 0;
      for (const image of images) {
        for (const pixel of pixels) {
          for (let channel = 0; channel < 3; channel++) values[at++] = targets[image][3 * pixel + channel];
        }
      }
      return values;
    },
  };
}
