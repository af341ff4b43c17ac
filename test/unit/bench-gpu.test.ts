import { expect, test } from 'vitest';
import { folderName } from '../../bench/gpu/save.js';
import { type GpuSession, formatSession } from '../../bench/gpu/session-report.js';
import { mergeRows } from '../../bench/gpu/session-rows.js';
import type { TorchResults } from '../../bench/gpu/torch.js';
import type { PeerName } from '../../lab/measuring/protocol.js';
import type { Results, Row } from '../../lab/measuring/rows.js';

/** A step of Adam over 1e6 elements must move 28 MB. */
function row(peer: PeerName, medianMs: number, gpuMs: number | null): Row {
  const counts = { dispatches: 1, submits: 1, newObjects: 0, hostMs: 0.1 };
  const speeds = { minMs: medianMs, elementsPerSecond: 1, gbPerSecond: 28 / medianMs, fractionOfLimit: null };
  return { peer, rule: 'adam', case: '1e6', medianMs, gpuMs, cpuMs: null, ...speeds, ...counts };
}

const bench: Results = {
  adapter: 'a card',
  browser: 'Node 20.20',
  date: '2026-11-22T12:00:00.000Z',
  seed: 1,
  rounds: 3,
  shapes: [],
  rows: [row('ours', 0.5, 0.2), row('limit', 0.4, 0.1), row('cpu', 8, null)],
};
const torch: TorchResults = {
  torch: '2.11.0',
  device: 'a card',
  rows: [
    { rule: 'adam', case: '1e6', variant: 'fused', medianMs: 1, minMs: 1, gpuMs: 0.4 },
    { rule: 'adam', case: '1e7', variant: 'fused', medianMs: 1, minMs: 1, gpuMs: 1 },
  ],
  copies: [{ case: '1e6', medianMs: 0.1, gpuMs: 0.04, gbPerSecond: 200 }],
};

test('steps of both sides stand in one table, each by its GPU clock where it has one', () => {
  const line = { case: '1e6', rule: 'adam' };
  expect(mergeRows(bench, torch)).toEqual([
    // 28 MB in 0.2 ms.
    {
      ...line,
      contestant: 'ours',
      medianMs: 0.5,
      gpuMs: 0.2,
      gbPerSecond: 140,
      ofLimit: 0.5,
      ofTorchCopy: 0.7,
    },
    {
      ...line,
      contestant: 'limit',
      medianMs: 0.4,
      gpuMs: 0.1,
      gbPerSecond: 280,
      ofLimit: 1,
      ofTorchCopy: 1.4,
    },
    // By the wall's clock, and against the limit's time by the same.
    {
      ...line,
      contestant: 'cpu',
      medianMs: 8,
      gpuMs: null,
      gbPerSecond: 3.5,
      ofLimit: 0.05,
      ofTorchCopy: 0.0175,
    },
    {
      ...line,
      contestant: 'torch fused',
      medianMs: 1,
      gpuMs: 0.4,
      gbPerSecond: 70,
      ofLimit: 0.25,
      ofTorchCopy: 0.35,
    },
    {
      case: '1e6',
      rule: '',
      contestant: 'torch copy_',
      medianMs: 0.1,
      gpuMs: 0.04,
      gbPerSecond: 200,
      ofLimit: null,
      ofTorchCopy: 1,
    },
  ]);
  expect(mergeRows(bench, null).map(({ ofTorchCopy }) => ofTorchCopy)).toEqual([null, null, null]);
});

test('a report names what failed, and leaves out what was not run', () => {
  const session: GpuSession = {
    adapter: 'a card',
    date: '2026-11-22T12:00:00.000Z',
    numerics: [{ question: 'a / b', answer: 'exactly rounded' }],
    parity: [
      {
        rule: 'sgd',
        cases: 7,
        failed: 1,
        maxUlp: 12.345,
        maxOfBound: 0.5,
        sameBits: 6,
        firstFailure: 'sgd: t0: off',
      },
    ],
    bench: null,
    shapes: [
      { case: '1e6', shape: '64×1', medianMs: 1.5, minMs: 1 },
      { case: '1e6', shape: '256×4', medianMs: 2.5, minMs: 2 },
      { case: '1e7', shape: '256×4', medianMs: 25, minMs: 20 },
      { case: '1e7', shape: '64×1', medianMs: 15, minMs: 10 },
    ],
    torch: null,
  };
  const text = formatSession(session);
  expect(text).toMatch(/\| case \| +64×1 \| +256×4 \|/);
  expect(text).toMatch(/\| 1e7 +\| +15\.0 \| +25\.0 \|/);
  expect(text).toContain('| a / b | exactly rounded |');
  expect(text).toContain('| sgd | 7 | 1 | 6 | 12.3 | 50.0 % |');
  expect(text).toContain('- sgd: t0: off');
  expect(text).not.toContain('Steps');
});

test.each([
  [{ vendor: 'nvidia', architecture: 'hopper', device: 'NVIDIA H100 80GB HBM3' }, 'nvidia-h100-80gb-hbm3'],
  [
    { vendor: 'google', architecture: 'swiftshader', device: 'swiftshader-device-subzero-' },
    'swiftshader-device-subzero',
  ],
  [{ vendor: 'apple', architecture: 'metal-3', device: '' }, 'apple-metal-3'],
  [{ vendor: '', architecture: '', device: '' }, 'unnamed'],
])('results of %o go to %s', (info, name) => {
  expect(folderName(info)).toBe(name);
});
