/** Where files are read from, and how much of them. */
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type SafetensorsSource, readSafetensors } from '../../src/safetensors/index.js';
import { Random } from '../../proof/random.js';
import { fileOf } from '../fixtures/recorded/safetensors/make-file.js';
import { errorOf } from '../support/error-of.js';
import { file } from '../support/safetensors-files.js';
import {
  FakeAccessHandle,
  ImaginaryFile,
  contentsOf,
  cutAtRandom,
  streamOf,
  watchedStream,
} from '../support/safetensors.js';

const random = new Random(inject('seed'));
const MIB = 2 ** 20;

const contents = await contentsOf(file);
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-safetensors-'));
  path = join(folder, 'model.safetensors');
  await writeFile(path, file);
});
afterAll(() => rm(folder, { recursive: true }));

test('what was written is what is read', () => {
  expect(contents.metadata).toEqual({ made: 'here' });
  expect(contents.tensors.map(([name, dtype, shape]) => [name, dtype, shape])).toEqual([
    ['a', 'F32', [2, 3]],
    ['b', 'I8', [0]],
    ['c', 'U8', [1001]],
    ['last', 'BOOL', []],
  ]);
  expect([...new Float32Array(Uint8Array.from(contents.tensors[0]![3]).buffer)]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(contents.tensors[2]![3]).toEqual(Array.from({ length: 1001 }, (_, k) => k % 256));
});

describe('sources', () => {
  const moved = new Uint8Array(file.byteLength + 5);
  moved.set(file, 3);
  async function* generator(): AsyncGenerator<Uint8Array> {
    yield* cutAtRandom(file, random);
  }
  test.each<[string, () => SafetensorsSource]>([
    ['a Uint8Array', () => file],
    ['a part of a Uint8Array', () => moved.subarray(3, -2)],
    ["Node's Buffer", () => Buffer.from(file)],
    [
      'memory that is shared',
      () => new Uint8Array(new SharedArrayBuffer(file.byteLength)).fill(0).map((_, k) => file[k]!),
    ],
    ['an ArrayBuffer', () => file.buffer],
    ['a Uint8Array of another realm', () => runInNewContext('Uint8Array.from(bytes)', { bytes: [...file] })],
    ['a Blob', () => new Blob([file])],
    ['a File', () => new File([file], 'model.safetensors')],
    ['a handle', () => ({ getFile: async () => new File([file], 'x') }) as FileSystemFileHandle],
    ['an access handle', () => new FakeAccessHandle(random, file)],
    ['a stream', () => streamOf(cutAtRandom(file, random))],
    ['a stream of a Blob', () => new Blob([file]).stream()],
    ['a body', () => new Response(file).body!],
    ['a generator', () => generator()],
    ['a list of pieces', () => cutAtRandom(file, random)],
    ['pieces without anything, behind the end, too', () => [new Uint8Array(), file, new Uint8Array()]],
    ['a stream of Node', () => createReadStream(path, { highWaterMark: 100 })],
  ])('%s', async (_, make) => {
    expect(await contentsOf(make())).toEqual(contents);
  });

  test('an open file of Node, which stays open', async () => {
    const opened = await open(path);
    try {
      expect(await contentsOf(opened)).toEqual(contents);
      expect((await opened.stat()).size).toBe(file.byteLength);
    } finally {
      await opened.close();
    }
  });

  test('a file that gives fewer bytes than it is asked for', async () => {
    const slow = {
      stat: async () => ({ size: file.byteLength }),
      read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
        const count = Math.min(length, 1 + random.integer(7));
        buffer.set(file.subarray(position, position + count), offset);
        return { bytesRead: count };
      },
    };
    expect(await contentsOf(slow)).toEqual(contents);
  });

  test.each([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a path', 'model.safetensors', '"model.safetensors"'],
    ['a number', 3, '3'],
    ['an object', { path: 'x' }, '{ path }'],
    ['another typed array', Float32Array.of(1), 'a Float32Array'],
    ['a Response', new Response(''), 'a Response'],
  ])('refused: %s', async (_, source, quoted) => {
    const { code, message } = await errorOf(() => readSafetensors(source as never));
    expect(code).toBe('invalid-safetensors');
    expect(message).toContain(`The source is ${quoted}. Give a Uint8Array`);
  });

  test('refused: a stream that is read already, pieces that are no bytes', async () => {
    const stream = streamOf([file]);
    stream.getReader();
    expect((await errorOf(() => readSafetensors(stream))).message).toMatch(/something else is reading/);
    const message = 'The source gives "abc". Let it give Uint8Arrays.';
    expect((await errorOf(() => readSafetensors(['abc'] as never))).message).toBe(message);
  });
});

describe('how much is read', () => {
  const TENSORS = 3;
  const [small, large] = [100, 2 ** 31 + 12345];
  const header = JSON.stringify({
    small: { dtype: 'U8', shape: [small], data_offsets: [0, small] },
    large: { dtype: 'U8', shape: [large], data_offsets: [small, small + large] },
    middle: { dtype: 'U8', shape: [5 * MIB + 1], data_offsets: [small + large, small + large + 5 * MIB + 1] },
  });
  const head = fileOf(header);
  const make = (): ImaginaryFile => new ImaginaryFile(head, small + large + 5 * MIB + 1);

  test.each(['node', 'blob'] as const)('of a file of 2 GiB, as %s, what is asked for', async (kind) => {
    const imaginary = make();
    const opened = await readSafetensors(imaginary[kind]);
    expect(imaginary.bytesRead).toBe(head.byteLength);
    expect(opened.byteLength).toBe(imaginary.byteLength);
    expect(opened.tensors.size).toBe(TENSORS);

    const bytes = await opened.tensors.get('middle')!.bytes();
    expect(bytes.byteLength).toBe(5 * MIB + 1);
    expect(imaginary.bytesRead).toBe(head.byteLength + bytes.byteLength);
    for (const at of [0, 4 * MIB - 1, 4 * MIB, 5 * MIB]) {
      expect(bytes[at], String(at)).toBe(ImaginaryFile.byteAt(small + large + at));
    }

    const before = imaginary.bytesRead;
    let position = small;
    for await (const piece of opened.tensors.get('large')!.pieces(1000)) {
      expect(piece.byteLength).toBe(1000);
      expect([...piece.subarray(-3)]).toEqual([997, 998, 999].map((k) => ImaginaryFile.byteAt(position + k)));
      position += piece.byteLength;
      if (position > small + 5000) break;
    }
    expect(imaginary.bytesRead - before).toBe(position - small);
    expect(imaginary.largestRead).toBe(4 * MIB);
  });

  test('pieces are as long as they are to be', async () => {
    const { tensors } = await readSafetensors(make().node);
    const lengths: number[] = [];
    for await (const piece of tensors.get('middle')!.pieces()) lengths.push(piece.byteLength);
    expect(lengths).toEqual([4 * MIB, MIB + 1]);
    for (const length of [0, -1, 1.5, NaN, '4'] as number[]) {
      const { message } = await errorOf(() => tensors.get('small')!.pieces(length).next());
      expect(message).toMatch(/pieces\(\) is asked for pieces of .* bytes. Give a whole number from 1./);
    }
  });

  test('of a stream, no more than the header until more is wanted', async () => {
    const { stream, seen } = watchedStream([file.subarray(0, 20), ...cutAtRandom(file.slice(20), random)]);
    const { tensors } = await readSafetensors(stream);
    const first = tensors.get('a')!;
    expect(seen.given).toBeLessThan(first.byteOffset + 1000);
    await first.bytes();
    expect(seen.given).toBeLessThan(first.byteOffset + first.byteLength + 1000);
  });

  test('a header that ends behind the file is not read', async () => {
    const imaginary = new ImaginaryFile(fileOf('{}', 0, 3n), 0);
    const { message } = await errorOf(() => readSafetensors(imaginary.node));
    expect(message).toMatch(/begins with a header of 3 bytes, and has 10 in all/);
    expect(imaginary.bytesRead).toBe(8);
  });

  test('a file that was cut since it was opened', async () => {
    let size = file.byteLength;
    const shrinking = {
      stat: async () => ({ size }),
      read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
        const there = file.subarray(position, Math.min(size, position + length));
        buffer.set(there, offset);
        return { bytesRead: there.byteLength };
      },
    };
    const { tensors } = await readSafetensors(shrinking);
    size -= 500;
    const { message } = await errorOf(() => tensors.get('c')!.bytes());
    expect(message).toContain(`ends at byte ${size} where ${file.byteLength - 1} or more`);
  });
});
