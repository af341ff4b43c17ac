/** What is written, whereto, and what is refused. */
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  type SafetensorsDType,
  type WritableTensor,
  readSafetensors,
  writeSafetensors,
} from '../../src/safetensors/index.js';
import { byteLengthOf, dtypes } from '../../src/safetensors/format/dtypes.js';
import { Random } from '../../proof/random.js';
import { errorOf } from '../support/error-of.js';
import { metadata, tensors } from '../support/safetensors-files.js';
import { FakeAccessHandle, contentsOf, cutAtRandom, streamOf, watchedSink } from '../support/safetensors.js';

const random = new Random(inject('seed'));
const MIB = 2 ** 20;

const expected = await writeSafetensors('bytes', tensors, metadata);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The text of a file's header, with its spaces. */
function headerOf(file: Uint8Array<ArrayBuffer>): string {
  const byteLength = Number(new DataView(file.buffer).getBigUint64(0, true));
  return new TextDecoder().decode(file.subarray(8, 8 + byteLength));
}

/** A tensor of some dtype, of pieces or bytes. */
const ofDtype = (name: string, dtype: SafetensorsDType): WritableTensor => ({
  name,
  dtype,
  shape: [4],
  data: new Uint8Array(byteLengthOf(dtype, [4], name)),
});

describe('the file', () => {
  test('byte by byte', () => {
    const header =
      '{"__metadata__":{"made":"here"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},' +
      '"bytes":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}';
    const spaces = (8 - (header.length % 8)) % 8;
    const bytes = [header.length + spaces, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(header + ' '.repeat(spaces))];
    expect([...expected]).toEqual([...bytes, 0, 0, 0, 0x3f, 0, 0, 0, 0xc0, 1, 2, 3]);
  });

  test('headers are padded to 8 bytes, whatever their length', async () => {
    for (let length = 0; length < 9; length += 1) {
      const file = await writeSafetensors('bytes', [ofDtype('é'.repeat(length), 'U8')]);
      const header = headerOf(file);
      expect(Buffer.byteLength(header) % 8).toBe(0);
      expect(header.length - header.trimEnd().length).toBeLessThan(8);
    }
  });

  test('larger elements come first, then names by their code points', async () => {
    const names = ['b', 'a', '😀', '\uffee', 'B', '', 'aa', 'é'];
    const given = names.flatMap((name) => [ofDtype(`${name}1`, 'U8'), ofDtype(`${name}2`, 'F32')]);
    const file = await readSafetensors(await writeSafetensors('bytes', given));
    const sorted = ['', 'B', 'a', 'aa', 'b', 'é', '\uffee', '😀'];
    // '1' and '2' stand before all letters.
    expect([...file.tensors.keys()]).toEqual([
      ...sorted.map((name) => `${name}2`),
      ...sorted.map((name) => `${name}1`),
    ]);
    const all = await writeSafetensors(
      'bytes',
      dtypes.map((dtype) => ofDtype(dtype, dtype)),
    );
    expect([...(await readSafetensors(all)).tensors.keys()]).toEqual(dtypes.toReversed());
  });

  test('without metadata there is no place for them', async () => {
    expect(headerOf(await writeSafetensors('bytes', []))).toBe('{}      ');
    expect(headerOf(await writeSafetensors('bytes', [], {}))).toBe('{}      ');
  });
});

describe('data', () => {
  const bytes = Uint8Array.of(9, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  async function* generator(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(1, 4);
    yield new Uint8Array();
    yield bytes.subarray(4, 9);
  }
  test.each<[string, () => WritableTensor['data']]>([
    ['a part of a Uint8Array', () => bytes.subarray(1, 9)],
    ['an ArrayBuffer', () => bytes.buffer.slice(1, 9)],
    ['a DataView', () => new DataView(bytes.buffer, 1, 8)],
    ['a typed array', () => new Uint16Array(bytes.buffer.slice(1, 9))],
    [
      'a typed array of another realm',
      () => runInNewContext('Uint16Array.of(513, 1027, 1541, 2055)') as Uint16Array,
    ],
    ['a list of pieces', () => [bytes.subarray(1, 2), bytes.subarray(2, 9)]],
    ['a generator', () => generator()],
    ['a stream', () => streamOf(cutAtRandom(bytes.slice(1, 9), random))],
    ['a Set', () => new Set([bytes.subarray(1, 9)])],
  ])('from %s', async (_, make) => {
    const file = await writeSafetensors('bytes', [{ name: 'x', dtype: 'BF16', shape: [4], data: make() }]);
    expect([...file.subarray(-8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('from another file', async () => {
    const from = await readSafetensors(streamOf(cutAtRandom(expected, random)));
    expect(await writeSafetensors('bytes', from.tensors.values(), from.metadata)).toEqual(expected);
  });

  test('random tensors of all dtypes come back as they were', async () => {
    for (let round = 0; round < 20; round += 1) {
      const given = Array.from({ length: random.integer(12) }, (_, k) => {
        const dtype = random.pick(dtypes);
        const shape = Array.from({ length: random.integer(4) }, () => random.integer(5));
        // Whole bytes, of elements of 4 and 6 bits, too.
        shape.push(4 * random.integer(4));
        const data = Uint8Array.from({ length: byteLengthOf(dtype, shape, '') }, () => random.integer(256));
        return { name: `${random.pick(['"', '\n', '__proto__', 'é', '😀', 'w'])}${k}`, dtype, shape, data };
      });
      const texts = Object.fromEntries(given.map(({ name }, k) => [name, `${name}\u0000${k}`]));
      const written = given.map((one) =>
        random.integer(2) === 0 ? one : { ...one, data: cutAtRandom(one.data, random) },
      );
      const found = await contentsOf(
        streamOf(cutAtRandom(await writeSafetensors('bytes', written, texts), random)),
      );
      expect(found.metadata).toEqual(texts);
      const byName = new Map(found.tensors.map(([name, ...rest]) => [name, rest]));
      expect(byName.size).toBe(given.length);
      for (const { name, dtype, shape, data } of given)
        expect(byName.get(name)).toEqual([dtype, shape, [...data]]);
    }
  });
});

describe('sinks', () => {
  test('a Blob', async () => {
    const blob = await writeSafetensors('blob', tensors, metadata);
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(expected);
  });

  test('a stream, which is closed', async () => {
    const { stream, seen } = watchedSink();
    expect(await writeSafetensors(stream, tensors, metadata)).toBeUndefined();
    expect(seen).toMatchObject({ bytes: [...expected], end: 'closed' });
  });

  test('a pipe that is read at the same time', async () => {
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    const [, found] = await Promise.all([
      writeSafetensors(writable, tensors, metadata),
      contentsOf(readable),
    ]);
    expect(found).toEqual(await contentsOf(expected));
  });

  test('a handle', async () => {
    const { stream, seen } = watchedSink();
    const handle = { createWritable: async () => stream, getFile: () => undefined };
    await writeSafetensors(handle as unknown as FileSystemFileHandle, tensors, metadata);
    expect(seen).toMatchObject({ bytes: [...expected], end: 'closed' });
  });

  test.each([0, 5, 5000])('an open file of Node, of %i bytes before, which stays open', async (before) => {
    const path = join(folder, 'written.safetensors');
    await writeFile(path, new Uint8Array(before).fill(7));
    const file = await open(path, 'r+');
    try {
      await writeSafetensors(file, tensors, metadata);
      expect(await contentsOf(file)).toEqual(await contentsOf(expected));
    } finally {
      await file.close();
    }
    expect(new Uint8Array(await readFile(path))).toEqual(expected);
  });

  test.each([0, 5, 5000])('an access handle, of %i bytes before, which is flushed', async (before) => {
    const handle = new FakeAccessHandle(random, new Uint8Array(before).fill(7));
    await writeSafetensors(handle, tensors, metadata);
    expect(handle.bytes).toEqual(expected);
    expect(handle.isFlushed).toBe(true);
  });

  test('a file that takes fewer bytes than it is given', async () => {
    const written: number[] = [];
    let end: number | undefined;
    const slow = {
      write: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
        const bytesWritten = Math.min(length, 1 + random.integer(7));
        expect(position).toBe(written.length);
        written.push(...buffer.subarray(offset, offset + bytesWritten));
        return { bytesWritten };
      },
      truncate: async (byteLength: number) => void (end = byteLength),
    };
    await writeSafetensors(slow, tensors, metadata);
    expect(written).toEqual([...expected]);
    expect(end).toBe(expected.byteLength);
  });

  test.each([
    ['nothing', undefined, 'undefined'],
    ['a path', 'model.safetensors', '"model.safetensors"'],
    ['an array', new Uint8Array(1000), 'a Uint8Array'],
    ['a stream to read from', streamOf([]), 'a ReadableStream'],
  ])('refused: %s', async (_, sink, quoted) => {
    const { code, message } = await errorOf(() => writeSafetensors(sink as never, tensors));
    expect(code).toBe('invalid-safetensors');
    expect(message).toContain(`The sink is ${quoted}. Give a WritableStream`);
  });

  test('refused: a stream that is written already', async () => {
    const { stream } = watchedSink();
    stream.getWriter();
    expect((await errorOf(() => writeSafetensors(stream, tensors))).message).toMatch(
      /something else is writing/,
    );
  });
});

describe('how much is written at once', () => {
  /** Pieces of a large tensor, all in one buffer, which is filled anew for each: what is asked for is counted. */
  function producer(pieceByteLength: number, count: number) {
    const seen = { given: 0 };
    const buffer = new Uint8Array(pieceByteLength);
    function* pieces(): Generator<Uint8Array> {
      for (let k = 0; k < count; k += 1) {
        seen.given += pieceByteLength;
        yield buffer.fill(k);
      }
    }
    return { seen, data: pieces() };
  }

  test('4 MiB, and no more is asked for than the sink has taken', async () => {
    const pieceByteLength = 5 * MIB + 3;
    const count = 8;
    const { seen: produced, data } = producer(pieceByteLength, count);
    let taken = 0;
    let ahead = 0;
    const kept: Uint8Array[] = [];
    const { stream, seen } = watchedSink(async (piece) => {
      await new Promise((resolve) => void setTimeout(resolve, 1));
      kept.push(piece);
      ahead = Math.max(ahead, produced.given - taken);
      taken += piece.byteLength;
    });
    const byteLength = count * pieceByteLength;
    await writeSafetensors(stream, [{ name: 'large', dtype: 'U8', shape: [byteLength], data }]);
    expect(Math.max(...seen.lengths)).toBe(4 * MIB);
    expect(ahead).toBeLessThanOrEqual(4 * MIB + pieceByteLength);
    // The sink keeps what it is given, though the buffer that it came in has other bytes by now.
    const { tensors: found } = await readSafetensors(kept);
    let k = 0;
    for await (const piece of found.get('large')!.pieces(pieceByteLength)) {
      expect(Buffer.alloc(pieceByteLength, k).equals(piece)).toBe(true);
      k += 1;
    }
    expect(k).toBe(count);
  });

  test('more than one piece, into memory', async () => {
    const data = Uint8Array.from({ length: 4 * MIB + 5 }, (_, k) => Math.floor(k / 1000));
    const large = { name: 'large', dtype: 'U8', shape: [data.byteLength], data } as const;
    const blob = await writeSafetensors('blob', [large]);
    const files = [await writeSafetensors('bytes', [large]), new Uint8Array(await blob.arrayBuffer())];
    for (const file of files) expect(Buffer.from(file.slice(-data.byteLength)).equals(data)).toBe(true);
  });

  test('small tensors together', async () => {
    const { stream, seen } = watchedSink();
    const many = Array.from({ length: 1000 }, (_, k) => ofDtype(`t${k}`, 'F32'));
    await writeSafetensors(stream, many);
    expect(seen.lengths).toHaveLength(1);
  });
});
