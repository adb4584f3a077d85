/** The power spectra of two sets of images, Hann-windowed: distance, differences per octave, slopes. */
import { type Draws, type Found, type ImageSets, leaveOut, type Measured, type Metric } from './metric.ts';
import { compareSpectra } from './setSpectra.ts';
import { FEWEST_RESAMPLED } from './signal/bootstrap.ts';

export const spectrum: Metric = {
  name: 'spectrum',
  about: {
    label: 'Power spectra',
    source: 'Welch 1967; log-spectral distance: Gray & Markel 1976',
    protocol:
      'spectra: periodic separable Hann window, windowed mean removed, |X|²/Σw², averaged over images and channels before ' +
      'the logarithm, rings by floor, bootstrap intervals over images; LSD: floor of halves of the reference, root mean ' +
      "square over 16 random ones; debiased: sampling's part of LSD², as resampling shows it, taken off",
  },
  numbers: {
    lsd_debiased: {
      label: 'LSD',
      unit: 'dB',
      better: 'low',
      reads: 'distance of the spectra over all rings, sampling taken off; 0 is equal',
    },
    lsd: {
      label: 'Raw LSD',
      unit: 'dB',
      better: 'low',
      reads: 'of the sets as they are, as papers report it: never 0',
      role: 'supporting',
      against: { key: 'lsd_floor', label: 'halves' },
    },
    lsd_floor: { label: 'LSD of halves of the reference', unit: 'dB', role: 'detail' },
    delta: { label: 'Power over that of the reference', unit: 'dB', reads: '0 is equal', role: 'detail' },
    slope_generated: {
      label: 'Spectral slope α',
      reads: 'power falls as ρ^−α: a higher α is smoother',
      role: 'supporting',
      against: { key: 'slope_reference', label: 'reference' },
    },
    slope_reference: { label: 'Spectral slope α of the reference', role: 'detail' },
  },
  measure: measureSpectra,
};

function measureSpectra({ generated, reference }: ImageSets, random: Draws): Measured {
  if (Math.min(generated.width, generated.height) < 2) {
    return leaveOut('spectrum', 'its window needs images of at least 2 pixels along both axes');
  }
  const spectra = compareSpectra(generated, reference, random());
  const { floor, slopes, octaves, rings, comparedRings } = spectra;
  const found: Found[] = [];
  const notes: string[] = [];
  const isResampled = Math.min(generated.count, reference.count) >= FEWEST_RESAMPLED;
  if (!isResampled) {
    notes.push(`lsd is not debiased and spectra have no intervals: that needs ${FEWEST_RESAMPLED} images a side`);
  }
  if (comparedRings > 0) {
    const protocol = `r${comparedRings}_n${generated.count}_db`;
    if (isResampled) {
      found.push({ key: 'lsd_debiased', protocol, value: spectra.lsdDebiasedDb, interval: spectra.lsdIntervalDb });
    }
    found.push({ key: 'lsd', protocol, value: spectra.lsdDb });
    if (floor) {
      found.push({ key: 'lsd_floor', protocol: `r${comparedRings}_n${floor.images}_db`, value: floor.lsdDb });
    }
  } else {
    notes.push('lsd is left out: neither set has a ring with more power than rounding');
  }
  for (const { name: band, deltaDb: value, deltaDbLow, deltaDbHigh } of octaves) {
    const protocol = `n${generated.count}_db`;
    found.push({ key: 'delta', band, protocol, value, interval: [deltaDbLow, deltaDbHigh] });
  }
  for (const [side, { count }] of Object.entries({ generated, reference })) {
    const { value, interval } = slopes[side as 'generated' | 'reference'];
    if (Number.isNaN(value)) {
      notes.push(
        `slope_${side} is left out: fewer than two rings from 4 cycles per image up have more power than rounding`,
      );
      continue;
    }
    found.push({ key: `slope_${side}`, protocol: `n${count}`, value, interval });
  }
  const entries = (bands: typeof rings) => bands.map((band) => ({ ...band }));
  return { found, notes, bands: entries(octaves), rings: entries(rings) };
}
