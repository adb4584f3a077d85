import { afterEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import { Random } from '../../src/random.ts';

/** Fresh modules: metrics that one test adds are no other's. */
async function load() {
  const [registry, { evaluateImageSets }, { declarationsOf }] = await Promise.all([
    import('../../src/metrics/registry.ts'),
    import('../../src/metrics/imageSets.ts'),
    import('../../src/metrics/findings.ts'),
  ]);
  return { ...registry, evaluateImageSets, declarationsOf };
}
afterEach(() => vi.resetModules());

const noise = (count: number, step: number, side = 12) => ({
  count,
  width: side,
  height: side,
  channels: 1,
  pixels: Uint8Array.from(new Random(21, 'synthetic', step).uniforms(count * side * side, 0, 256)),
});

const brightness: Metric = {
  name: 'brightness',
  about: {
    label: 'Brightness',
    better: 'low',
    source: 'a test',
    protocol: 'brightness: mean of an image drawn at random',
  },
  measure: ({ generated }, random) => {
    const image = random().integer(generated.count);
    const values = Array.from(generated.pixels.subarray(image * 144, (image + 1) * 144));
    const value = values.reduce((sum, one) => sum + one, 0) / values.length;
    return [{ key: 'brightness', protocol: `n${generated.count}`, value }];
  },
};

describe('the registry', () => {
  it('knows its own metrics by their names, in order, and refuses others by listing them', async () => {
    const { metricNames, METRICS, declaredNumbers } = await load();
    expect(metricNames()).toEqual(['spectrum', 'fwd', 'swd', 'kid', 'coverage', 'diversity']);
    for (const name of metricNames()) expect(METRICS.get(name).name).toBe(name);
    expect(() => METRICS.get('fid')).toThrow('metric "fid" is unknown; choose one of spectrum, fwd, swd, kid');
    const declared = declaredNumbers();
    for (const [, { against, metric }] of declared) {
      if (against) expect(declared.get(against.key)?.metric).toBe(metric);
    }
  });

  it('declares every number once: no two metrics share a key', async () => {
    const { metricNames, METRICS, declarationsOf, declaredNumbers } = await load();
    const each = metricNames().map((name) => declarationsOf(METRICS.get(name)).size);
    expect(declaredNumbers().size).toBe(each.reduce((sum, size) => sum + size, 0));
  });

  it('measures what is added, with its own draws, and nothing else changes', async () => {
    const { addMetric, metricNames, evaluateImageSets } = await load();
    const sets = [noise(24, 1), noise(30, 2)] as const;
    const before = evaluateImageSets(...sets).result;
    addMetric(brightness);
    addMetric(brightness);
    expect(metricNames().at(-1)).toBe('brightness');
    const { metrics, intervals, findings, protocol } = evaluateImageSets(...sets).result;
    const { brightness_n24: value, ...others } = metrics;
    expect(value).toBeGreaterThan(100);
    expect(others).toEqual(before.metrics);
    expect(intervals).toEqual(before.intervals);
    expect(findings!.at(-1)).toEqual({
      metric: 'brightness',
      key: 'brightness',
      name: 'brightness_n24',
      value,
      label: 'Brightness',
      better: 'low',
      role: 'headline',
    });
    expect(protocol).toContain('brightness: mean of an image');
    expect(protocol).not.toContain('a test');
  });

  it.each([
    [{ ...brightness, name: 'fwd' }, 'metric "fwd" is taken by the project itself; give it another name'],
    [
      { ...brightness, numbers: { brightness: { label: 'b' }, density: { label: 'd' } } },
      'metric "brightness": its number "density" is one of metric "coverage"; rename it',
    ],
    [{ ...brightness, name: 'my metric' }, '"my metric" can\'t be a name'],
    [{ ...brightness, numbers: { 'a,b': { label: 'b' } } }, '"a,b" can\'t be a name'],
  ])('refuses %o', async (metric, message) => {
    const { addMetric, metricNames } = await load();
    expect(() => addMetric(metric)).toThrow(message);
    expect(() => addMetric(metric)).toThrow(expect.objectContaining({ name: UsageError.name }));
    expect(metricNames()).toHaveLength(6);
  });
});

describe('what evaluateImageSets measures', () => {
  it('is the same whichever other metrics run, and in whatever order', async () => {
    const { metricNames, evaluateImageSets } = await load();
    const sets = [noise(24, 3), noise(26, 4)] as const;
    const all = evaluateImageSets(...sets, { seed: 5 }).result;
    const reversed = evaluateImageSets(...sets, { seed: 5, metrics: metricNames().reverse() }).result;
    expect(reversed.metrics).toEqual(all.metrics);
    expect(reversed.intervals).toEqual(all.intervals);
    const alone = metricNames().map((name) => evaluateImageSets(...sets, { seed: 5, metrics: [name] }).result);
    expect(Object.assign({}, ...alone.map(({ metrics }) => metrics))).toEqual(all.metrics);
    expect(Object.assign({}, ...alone.map(({ intervals }) => intervals))).toEqual(all.intervals);
    expect(alone.flatMap(({ findings }) => findings)).toEqual(all.findings);
  });

  it('draws the images of large sets for features once, for whoever asks first', async () => {
    const { evaluateImageSets } = await load();
    const sets = [noise(1010, 5, 4), noise(12, 6, 4)] as const;
    const both = evaluateImageSets(...sets, { metrics: ['kid', 'coverage'] }).result.metrics;
    expect(evaluateImageSets(...sets, { metrics: ['coverage', 'kid'] }).result.metrics).toEqual(both);
    expect(evaluateImageSets(...sets, { metrics: ['coverage'] }).result.metrics).toEqual(
      expect.objectContaining({ density_k5_random256_n1000: both.density_k5_random256_n1000 }),
    );
    const other = evaluateImageSets(...sets, { metrics: ['kid'], seed: 1 }).result.metrics;
    expect(other.kid_random256_n1000).not.toBe(both.kid_random256_n1000);
  });

  it('takes metrics as they are too, which share what they name alike', async () => {
    const { evaluateImageSets, metricNames } = await load();
    const compute = vi.fn(() => 7);
    const sharing = (name: string): Metric => ({
      ...brightness,
      name,
      measure: ({ shared }) => [{ key: name, protocol: 'n2', value: shared('seven', compute) }],
    });
    const evaluation = evaluateImageSets(noise(2, 1), noise(2, 2), {
      metrics: [sharing('a'), sharing('b'), 'spectrum'],
    });
    expect(evaluation.result.metrics).toMatchObject({ a_n2: 7, b_n2: 7, lsd_r5_n2_db: expect.any(Number) });
    expect(compute).toHaveBeenCalledTimes(1);
    expect(metricNames()).toHaveLength(6);
  });

  it('has no interval beside its value, and says whose it was; nor two numbers of one name, nor any undeclared', async () => {
    const { evaluateImageSets } = await load();
    const giving = (...found: ReturnType<Metric['measure']> & unknown[]) =>
      evaluateImageSets(noise(2, 1), noise(2, 2), { metrics: [{ ...brightness, measure: () => found as [] }] });
    const beside = giving({ key: 'brightness', protocol: 'n2', value: 0.212, interval: [0.163, 0.199] } as never);
    expect(beside.notes).toEqual(['brightness_n2 has no interval: that of metric brightness lies beside it']);
    expect(beside.result.intervals).toEqual({});
    const one = { key: 'brightness', protocol: 'n2', value: 1 } as never;
    expect(() => giving(one, one)).toThrow('two numbers are called brightness_n2');
    expect(() => giving({ key: 'light', protocol: 'n2', value: 1 } as never)).toThrow(
      '"light" is none of the declared',
    );
  });
});
