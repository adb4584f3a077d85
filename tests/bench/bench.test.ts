import { describe, expect, it } from 'vitest';
import { fieldFloat64 } from '../../bench/float64.ts';
import { parseBenchOptions } from '../../bench/options.ts';
import { BenchTable } from '../../bench/table.ts';
import { roundToHalf } from '../../bench/webgpu/ceilings.ts';
import { type PeerFigures, peerMilliseconds } from '../../bench/webgpu/pytorchPeer.ts';
import { busyTime, timeByLabel, timelineText } from '../../bench/webgpu/timeline.ts';
import { UsageError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';

describe("the bench's command line", () => {
  it('measures the native engine unless asked otherwise', () => {
    expect(parseBenchOptions([])).toMatchObject({ engine: 'native', peers: false, quick: false, force: false });
    expect(parseBenchOptions(['--engine', 'webgpu', '--peers', '--out', 'x'])).toMatchObject({
      engine: 'webgpu',
      peers: true,
      out: 'x',
    });
  });

  it('says what it does not know', () => {
    expect(() => parseBenchOptions(['--engine', 'wasm'])).toThrow(UsageError);
    expect(() => parseBenchOptions(['--engine', 'wasm'])).toThrow(/native and webgpu/);
    expect(() => parseBenchOptions(['--peer'])).toThrow(/'--peer'.*known: --engine/);
  });
});

describe('the table of the bench', () => {
  it('shows fractions in percent, ratios as factors and missing figures as null with their reason', () => {
    const table = new BenchTable();
    table.record('a', 0.45678, 'field', '1 of 2', { must: 0.4, reach: 0.7 });
    table.record('b', 1.5, 'step', '', { must: 1, reach: 2 });
    table.record('c', null, 'graph', '');
    table.figures.c_reason = 'no GPU';
    expect(table.figures).toEqual({ a: 0.4568, b: 1.5, c: null, c_reason: 'no GPU' });
    const lines = table.text().split('\n');
    expect(lines[1]).toMatch(/^field +1 of 2 +45\.7 % +40\.0 % +70\.0 %$/);
    expect(lines[2]).toMatch(/1\.50× +1\.00× +2\.00×$/);
    expect(lines[3]).toMatch(/null/);
    expect(table.reasons()).toEqual(['c_reason: no GPU']);
  });
});

describe('the trace of a GPU', () => {
  const trace = [
    { labels: ['field'], start: 0, seconds: 2 },
    { labels: ['adam'], start: 1, seconds: 2 }, // overlaps
    { labels: ['field'], start: 5, seconds: 3 },
  ];

  it('counts overlaps once and gaps as idle', () => {
    expect(busyTime(trace)).toEqual({ busy: 6, span: 8 });
    expect(busyTime([])).toEqual({ busy: 0, span: 0 });
  });

  it('adds up time by name and draws one line a dispatch', () => {
    expect(timeByLabel(trace)).toEqual([
      { label: 'field', count: 2, seconds: 5 },
      { label: 'adam', count: 1, seconds: 2 },
    ]);
    expect(timelineText(trace).match(/\|[ #]{40}\|/g)).toHaveLength(3);
  });
});

describe('the references of the bench', () => {
  it('have the field’s gradient of central differences, and count points as often as asked', () => {
    const random = new Random(3, 'synthetic');
    const widths = [3, 4, 2];
    const kernels = [random.normals(12), random.normals(8)];
    const biases = [random.normals(4), random.normals(2)];
    const [features, targets] = [random.normals(9), random.uniforms(6, 0, 1)];
    const counts = [2, 1, 3];
    const loss = (k: Float32Array[]) =>
      fieldFloat64(widths, { kernels: k, biases }, features, targets, (p) => counts[p]).squaredError;
    const found = fieldFloat64(widths, { kernels, biases }, features, targets, (p) => counts[p]);
    const repeat = (values: Float32Array, width: number) =>
      Float32Array.from(
        counts.flatMap((n, p) =>
          Array(n)
            .fill([...values.subarray(p * width, (p + 1) * width)])
            .flat(),
        ),
      );
    const plain = fieldFloat64(widths, { kernels, biases }, repeat(features, 3), repeat(targets, 2));
    expect(found.squaredError).toBeCloseTo(plain.squaredError, 12);
    for (const [l, kernel] of kernels.entries()) {
      for (let i = 0; i < kernel.length; i++) {
        const moved = [1, -1].map((sign) => {
          const copy = kernels.map((values) => values.slice());
          copy[l][i] += sign * 2 ** -10;
          return { loss: loss(copy), at: copy[l][i] };
        });
        const slope = (moved[0].loss - moved[1].loss) / (moved[0].at - moved[1].at);
        expect(found.kernels[l][i]).toBeCloseTo(slope, 4);
      }
    }
  });

  it('round to 16-bit floats as IEEE 754 does', () => {
    expect([0.1, 1 / 3, 2049, 2051, 65504, -0.1].map(roundToHalf)).toEqual([
      0.0999755859375, 0.333251953125, 2048, 2052, 65504, -0.0999755859375,
    ]);
    expect([2 ** -24, 1.5 * 2 ** -24, 2 ** -26].map(roundToHalf)).toEqual([2 ** -24, 2 ** -23, 0]);
    expect(roundToHalf(1 + 2 ** -11)).toBe(1); // a tie, to even
    expect(roundToHalf(1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
  });
});

describe('a PyTorch mode', () => {
  const round = (losses: number[], milliseconds: number[]): PeerFigures => {
    const steps = {
      step: { graph_tf32: { losses, milliseconds, oneProduct: true }, eager_f32: { absent: 'no time' } },
    };
    return { version: '', device: '', steps, render: {} };
  };

  it('counts where its losses are ours, over all rounds', () => {
    const rounds = [round([0.1, 0.09], [2, 3]), round([0.1, 0.0901], [4])];
    expect(peerMilliseconds(rounds, 'step', 'graph_tf32', [0.1, 0.09])).toEqual([2, 3, 4]);
  });

  it('does not count where it trains something else, failed or was not measured', () => {
    const rounds = [round([0.1, 0.08], [2, 3])];
    expect(peerMilliseconds(rounds, 'step', 'graph_tf32', [0.1, 0.09])).toMatchObject({ absent: /losses differ/ });
    expect(peerMilliseconds(rounds, 'step', 'graph_tf32', [0.1, Number.NaN])).toMatchObject({
      absent: /losses differ/,
    });
    expect(peerMilliseconds(rounds, 'step', 'eager_f32', [0.1])).toEqual({ absent: 'no time' });
    expect(peerMilliseconds(rounds, 'step', 'compile_bf16', [0.1])).toMatchObject({ absent: /not measured/ });
  });
});
