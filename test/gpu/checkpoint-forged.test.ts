/** Files whose checksum is right, and what they say is not: they are loaded, or refused in words, and then nothing has changed. */
import { expect, inject } from 'vitest';
import { Optimizer, OptimizerError, adam, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import { Checksum } from '../../src/checkpoint/checksum.js';
import { CHECKSUM, MANIFEST } from '../../src/checkpoint/manifest.js';
import { type WritableTensor, readSafetensors, writeSafetensors } from '../../src/safetensors/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { takesAll } from '../support/draw.js';
import { makeParameter } from '../support/tensors.js';

const ROUNDS = takesAll ? 600 : 60;
const REFUSED = ['invalid-safetensors', 'invalid-checkpoint', 'invalid-state-dict'];

/** What may stand in the place of any value. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e300,
  2 ** 32,
  '',
  'a',
  '__proto__',
  [],
  ['a'],
  ['b', 'a'],
  [1, [2]],
  {},
  { a: {} },
  { number: 'NaN' },
  { number: '-0' },
  { number: 'toString' },
];

/** Another value, or the same with something changed, taken away or added in it. */
function forge(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.uniform() < 0.3) return random.pick(VALUES);
  if (Array.isArray(value)) {
    const at = random.integer(value.length + 1);
    if (at === value.length) return [...(value as unknown[]), value[0] ?? random.pick(VALUES)];
    return value.toSpliced(at, 1, ...(random.uniform() < 0.2 ? [] : [forge(value[at], random)]));
  }
  const entries = Object.entries(value);
  const at = random.integer(entries.length + 1);
  if (at === entries.length || random.uniform() < 0.05) {
    const key = random.pick([
      '__proto__',
      'joinedAt',
      'steps',
      'schedule',
      'schedules',
      'toString',
      'lr',
      'x',
    ]);
    return Object.fromEntries([...entries, [key, random.pick(VALUES)]]);
  }
  const [key, old] = entries[at]!;
  return Object.fromEntries(
    entries.toSpliced(
      at,
      1,
      ...(random.uniform() < 0.2 ? [] : [[key, forge(old, random)] as [string, unknown]]),
    ),
  );
}

/** Changes one entry of a manifest, takes it away, or adds one. */
function forgeOne(manifest: Record<string, unknown>, random: Random): object {
  const key = random.pick([...Object.keys(manifest), 'more']);
  const { [key]: old, ...others } = manifest;
  return random.uniform() < 0.1 ? others : { ...others, [key]: forge(old, random) };
}

/** A file with a checksum that is right. */
async function sign(
  tensors: readonly WritableTensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const zeros = { name: CHECKSUM, dtype: 'U8', shape: [32], data: new Uint8Array(32) } as const;
  const file = await writeSafetensors('bytes', [...tensors, zeros], metadata);
  const { tensors: placed } = await readSafetensors(file);
  const checksum = new Checksum(metadata);
  for (const tensor of placed.values()) {
    if (tensor.name === CHECKSUM) continue;
    for await (const _ of checksum.passing(tensor, tensor.data));
  }
  file.set(await checksum.digest(), placed.get(CHECKSUM)!.byteOffset);
  return file;
}

gpuTest('forged files are loaded, or refused in words and whole', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const params = [5, 6].map((length, k) =>
    makeParameter(device, track, 'ab'[k]!, random.weights(length), random.gradients(length)),
  );
  const config = { rule: adam(), skipNonFinite: true, ema: { decay: 0.5 } };
  const optimizer = track(await Optimizer.create(device, { ...config, params }));
  optimizer.step();
  optimizer.step({ skip: ['b'] });
  optimizer.freeze(['b']);
  const { bytes } = await saveCheckpoint(optimizer, 'bytes');
  const { metadata, tensors } = await readSafetensors(bytes);
  const held = await Promise.all(
    [...tensors.values()]
      .filter(({ name }) => name !== CHECKSUM)
      .map(async (tensor) => {
        const { name, dtype, shape } = tensor;
        return { name, dtype, shape, data: await tensor.bytes() };
      }),
  );
  const see = async () =>
    [await optimizer.stateDict(), await optimizer.readParam('a'), await optimizer.readParam('b')] as const;
  const want = await see();
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const manifest = forgeOne(JSON.parse(metadata[MANIFEST]!) as Record<string, unknown>, random);
    const forged = held.map((tensor) => {
      if (random.uniform() > 0.02) return tensor;
      const other = random.pick(held);
      return random.pick([
        { ...tensor, name: `${other.name}x` },
        { ...tensor, shape: other.shape, data: other.data },
        { ...tensor, dtype: 'BF16' as const, shape: [tensor.data.length / 2] },
        { ...tensor, dtype: 'I32' as const },
      ]);
    });
    const file = await sign(forged, { ...metadata, [MANIFEST]: JSON.stringify(manifest) });
    try {
      await loadCheckpoint(optimizer, file, random.uniform() < 0.5 ? { strict: false } : {});
    } catch (error) {
      const what = `${JSON.stringify(manifest)}: ${String(error)}`;
      expect(error, what).toBeInstanceOf(OptimizerError);
      expect(REFUSED, what).toContain((error as OptimizerError).code);
      const got = await see();
      expect(got[0], what).toEqual(want[0]);
      for (const k of [1, 2] as const) expect(bitDifference(got[k], want[k]), what).toBeUndefined();
      refused++;
      continue;
    }
    // What was loaded makes sense: the run goes on, and can be saved.
    if (round % 10 === 0) await loadCheckpoint(optimizer, (await saveCheckpoint(optimizer, 'bytes')).bytes);
    await loadCheckpoint(optimizer, bytes);
  }
  expect(refused).toBeGreaterThan(ROUNDS / 2);
  await loadCheckpoint(optimizer, bytes);
  expect((await saveCheckpoint(optimizer, 'bytes')).bytes).toEqual(bytes);
});
