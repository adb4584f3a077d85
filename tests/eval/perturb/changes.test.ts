/** Disturbances of generators against closed forms. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { BandChanges } from '../../../src/eval/perturb/changes.ts';
import { perturbWeights } from '../../../src/eval/perturb/perturbations.ts';
import { planeSpectra } from '../../../src/metrics/noiseResponse.ts';
import { Random } from '../../../src/random.ts';
import { disposeFields } from '../../../src/render/drawableField.ts';
import { tf } from '../../../src/tf.ts';
import { randomField } from '../../render/randomField.ts';

beforeAll(async () => {
  await startEngine('auto');
});

describe('changes per band', () => {
  const [width, height] = [16, 12];
  const length = width * height * 3;
  const random = new Random(0, 'synthetic');
  const picture = () => Float64Array.from({ length }, () => random.normal());
  const spectra = (image: ArrayLike<number>) => planeSpectra(image, { width, height, channels: 3 });

  it('are (1−a)² for an image scaled by a, in every octave and ring, with T = a', () => {
    const changes = new BandChanges(width, height);
    for (let i = 0; i < 4; i++) {
      const before = picture();
      changes.add(i, spectra(before), spectra(before.map((value) => 0.7 * value)));
    }
    const { bands, rings } = changes.result();
    for (const partition of [bands, rings]) {
      expect(partition.reduce((sum, { modes }) => sum + modes, 0)).toBe(width * height);
      for (const band of partition) {
        for (const end of [band.relativeChangeLow, band.relativeChange, band.relativeChangeHigh]) {
          expect(end).toBeCloseTo(0.09, 12);
        }
        for (const end of [band.transferLow, band.transfer, band.transferHigh]) expect(end).toBeCloseTo(0.7, 12);
      }
    }
  });

  it('are 2 between unrelated images of the same spectrum, and T is 0', () => {
    const changes = new BandChanges(width, height);
    for (let i = 0; i < 60; i++) changes.add(i, spectra(picture()), spectra(picture()));
    for (const band of changes.result().bands.filter(({ modes }) => modes > 20)) {
      expect(Math.abs(band.relativeChange - 2)).toBeLessThan(0.15);
      expect(Math.abs(band.transfer)).toBeLessThan(0.1);
      expect(band.relativeChangeLow).toBeLessThan(2);
      expect(band.relativeChangeHigh).toBeGreaterThan(2);
    }
  });

  it('count all disturbances of an image as one, and those of a single image by themselves', () => {
    const before = [picture(), picture(), picture()].map(spectra);
    const added = (images: number, repeats: number) => {
      const changes = new BandChanges(width, height);
      for (let i = 0; i < images; i++) {
        // The same disturbance again and again says nothing new.
        const after = spectra(picture());
        for (let repeat = 0; repeat < repeats; repeat++) changes.add(i, before[i], after);
      }
      return changes.result().bands;
    };
    const [once, often] = [added(3, 1), added(3, 50)];
    const span = ({ relativeChangeLow, relativeChangeHigh }: (typeof once)[number]) =>
      Math.log(relativeChangeHigh / relativeChangeLow);
    expect(span(often[3]) / span(once[3])).toBeGreaterThan(0.2);
    expect(added(1, 1)[3].relativeChangeLow).toBeNaN();
    const single = new BandChanges(width, height);
    for (let repeat = 0; repeat < 5; repeat++) single.add(7, before[0], spectra(picture()));
    const band = single.result().bands[3];
    expect(band.relativeChangeLow).toBeLessThan(band.relativeChange);
    expect(band.relativeChangeHigh).toBeGreaterThan(band.relativeChange);
  });
});

describe('disturbed weights', () => {
  const norm = (tensors: readonly { dataSync(): ArrayLike<number> }[]) =>
    Math.sqrt(
      tensors.flatMap((tensor) => Array.from(tensor.dataSync())).reduce((sum, value) => sum + value * value, 0),
    );

  it.each(['isotropic', 'layer'] as const)('differ by the asked fraction of their norm, %s', (kind) => {
    const field = randomField({ fields: 1 });
    const before = tf.memory().numTensors;
    const disturbed = perturbWeights(field.weights, kind, 0.1, new Random(1, 'evaluation'));
    const differences = disturbed.kernels.map((kernel, l) => [
      tf.sub(kernel, field.weights.kernels[l]),
      tf.sub(disturbed.biases[l], field.weights.biases[l]),
    ]);
    const layers = field.weights.kernels.map((kernel, l) => [kernel, field.weights.biases[l]]);
    expect(norm(differences.flat()) / norm(layers.flat())).toBeCloseTo(0.1, 5);
    const ratios = layers.map((layer, l) => norm(differences[l]) / norm(layer));
    if (kind === 'layer') for (const ratio of ratios) expect(ratio).toBeCloseTo(0.1, 5);
    else expect(Math.max(...ratios) - Math.min(...ratios)).toBeGreaterThan(1e-3);
    tf.dispose([...differences.flat(), ...disturbed.kernels, ...disturbed.biases]);
    expect(tf.memory().numTensors).toBe(before);
    disposeFields(field);
  });

  it('leave the other layers alone where one is named', () => {
    const field = randomField({ fields: 2 });
    const disturbed = perturbWeights(field.weights, 'layer', 0.5, new Random(1, 'evaluation'), 1);
    const moved = disturbed.kernels.map((kernel, l) => norm([tf.sub(kernel, field.weights.kernels[l])]) > 0);
    expect(moved).toEqual(moved.map((_, l) => l === 1));
    disposeFields(field);
  });
});
