import { expect, test } from 'vitest';
import { type Manifest, readManifest, writeMetadata } from '../../src/checkpoint/manifest.js';
import { errorOf } from '../support/error-of.js';

const groups = [
  { params: ['a', '__proto__'], lr: 0.1, betas: [0.9, 0.999], eps: Infinity, weightDecay: -0, steps: [7, 5] },
  { params: ['b.c'], lr: 1e-30, joinedAt: 3, schedule: { best: -Infinity, bad: NaN } },
];
const dict = {
  rule: 'adam',
  step: 7,
  groups,
  control: { skipped: 1, consecutiveSkips: 0, growthTracker: 2, lossScale: 2 },
} as unknown as Manifest['dict'];

test('what resuming takes comes back as it was, numbers that JSON lacks too', () => {
  const frozen = ['b.c'];
  const back = readManifest(writeMetadata({ dict, frozen }));
  expect(back).toEqual({ dict, frozen, formats: {}, lengths: {} });
  const formats = { exp_avg: 'int8' };
  const lengths = { 'state.w.exp_avg': 42 };
  const whole = { dict, frozen, formats, lengths };
  expect(readManifest(writeMetadata(whole))).toEqual(whole);
  expect(Object.is(back.dict.groups[0]!['weightDecay'], -0)).toBe(true);
});

test('scalars have the names that torch.distributed.checkpoint flattens them to', () => {
  const metadata = writeMetadata({ dict, frozen: [] });
  expect(metadata).toMatchObject({
    'state.a.step': '7',
    'state.__proto__.step': '5',
    'state.b.c.step': '4',
    'param_groups.a.betas': '[0.9,0.999]',
    'param_groups.b.c.lr': '1e-30',
  });
});

test('metadata that is none is refused', async () => {
  const good = writeMetadata({ dict, frozen: [] });
  const manifest = JSON.parse(good['webgpu-optim']!) as object;
  const bad: [Record<string, string>, string][] = [
    [{}, 'no metadata "webgpu-optim"'],
    [{ 'webgpu-optim': '{' }, 'no JSON'],
    [{ 'webgpu-optim': '3' }, 'is 3'],
    [{ 'webgpu-optim': JSON.stringify({ ...manifest, format: 2 }) }, 'format 2'],
    [{ 'webgpu-optim': JSON.stringify({ ...manifest, frozen: [1] }) }, 'frozen is [1]'],
  ];
  for (const [metadata, text] of bad) {
    const error = await errorOf(() => readManifest(metadata));
    expect(error).toMatchObject({ code: 'invalid-checkpoint' });
    expect(error.message).toContain(text);
  }
});
