/** Files that the Python package wrote, and what it says of ours: test/fixtures/recorded/safetensors/record.py has asked it. */
import { expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/safetensors/index.js';
import recorded from '../fixtures/recorded/safetensors/recorded.json' with { type: 'json' };
import { hostileTensors } from '../fixtures/recorded/safetensors/hostile-tensors.js';
import { hostileTexts } from '../fixtures/recorded/safetensors/hostile-texts.js';
import { oddFiles } from '../fixtures/recorded/safetensors/odd.js';
import { writtenFiles } from '../fixtures/recorded/safetensors/written.js';
import { contentsOf } from '../support/safetensors.js';

/** Where lists were recorded in an order, it is Python's: of code points. */
const byName = ([a]: readonly unknown[], [b]: readonly unknown[]): number =>
  Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** What we find, as it was recorded. */
async function found(bytes: Uint8Array<ArrayBuffer>): Promise<{ metadata: unknown; tensors: unknown }> {
  const { metadata, tensors } = await contentsOf(bytes);
  const ours = tensors.map(([name, dtype, shape, data]) => [
    name,
    dtype,
    shape,
    base64(Uint8Array.from(data)),
  ]);
  return { metadata: Object.entries(metadata).toSorted(byName), tensors: ours.toSorted(byName) };
}

/**
 * What is refused here and not there: the documentation of the format rules it out, or it is nothing that a writer writes and reads
 * differently in different readers.
 */
const STRICTER = [
  'spaces before the header',
  'a tensor twice',
  'a name twice in the metadata',
  '__proto__ twice',
  'metadata that are null',
  'a tensor that is a list',
  'a field too many',
  'a dtype that is an object',
  'a size of 2^53',
];

test('the versions that were asked', () => {
  expect(recorded.versions).toEqual({ safetensors: '0.8.0', numpy: '2.4.6' });
});

test('of the hostile files Python refuses all but those that are known', () => {
  const verdicts = Object.entries(recorded.hostile);
  const whats = [...hostileTexts, ...hostileTensors].map(({ what }) => what);
  expect(verdicts.map(([what]) => what)).toEqual(whats);
  expect(verdicts.filter(([, verdict]) => verdict === null).map(([what]) => what)).toEqual(STRICTER);
});

test.each(Object.entries(oddFiles))('Python finds the same in a file that has %s', async (what, bytes) => {
  const there = new Map<string, unknown>(Object.entries(recorded.odd));
  expect(await found(bytes)).toEqual(there.get(what));
});

test.each(Object.entries(writtenFiles))('Python has read what we write: %s', async (what, write) => {
  const { file, ...there } = new Map(Object.entries(recorded.ours)).get(what)!;
  const bytes = await write();
  // To be recorded anew if it is not what Python has read.
  expect(base64(bytes)).toBe(file);
  expect(await found(bytes)).toEqual(there);
});

test.each(Object.entries(recorded.theirs))(
  'we read what Python writes, and write the same bytes: %s',
  async (_, theirs) => {
    const { file, ...there } = theirs;
    const bytes = Uint8Array.from(Buffer.from(file, 'base64'));
    expect(await found(bytes)).toEqual(there);
    const { metadata, tensors } = await readSafetensors(bytes);
    expect(await writeSafetensors('bytes', [...tensors.values()].toReversed(), metadata)).toEqual(bytes);
  },
);
