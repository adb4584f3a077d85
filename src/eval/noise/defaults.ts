/** What a noise study is where nobody says otherwise. */
import type { EncodingConfig } from '../../models/encodings/registry.ts';

/**
 * Without a config: a photograph, a field that the native engine trains in seconds, and a linear output, because noise
 * leaves [0,1].
 */
export const NOISE_STUDY_OVERRIDES: readonly string[] = [
  'objective=fit',
  'data.source=photo',
  'data.size=128',
  'model.field.output=linear',
  'train.steps=1000',
  'train.learningRate=0.002',
];

export const NOISE_STUDY = {
  sigmas: [0.05, 0.1, 0.2],
  draws: 8,
  optimizer: 'adam',
  impulses: 4,
  impulseAmplitude: 0.5,
} as const;

/**
 * Every encoding, scaled to the image: up to its Nyquist frequency. 64 frequencies for the Fourier encodings with a
 * choice, so that their fields have the same number of weights.
 */
export function studyEncodings({ width, height }: { width: number; height: number }) {
  const shorter = Math.min(width, height);
  return {
    none: { kind: 'none', range: 'unit' },
    basic: { kind: 'basic' },
    positional: { kind: 'positional', frequencies: 32, maxLog2: Math.log2(shorter / 2) },
    gaussian: { kind: 'gaussian', frequencies: 64, sigma: (10 * shorter) / 128 },
  } as const satisfies Record<EncodingConfig['kind'], EncodingConfig>;
}
