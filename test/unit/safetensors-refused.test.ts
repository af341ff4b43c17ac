/** What writing refuses, and what fails on the way. */
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type WritableTensor, writeSafetensors } from '../../src/safetensors/index.js';
import { errorOf } from '../support/error-of.js';
import { metadata, tensors } from '../support/safetensors-files.js';
import { Random } from '../../proof/random.js';
import { FakeAccessHandle, watchedSink } from '../support/safetensors.js';

const MIB = 2 ** 20;

const expected = await writeSafetensors('bytes', tensors, metadata);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What must not be written. */
const w = tensors[1]!;
const bad: readonly (readonly [what: string, tensors: unknown, metadata: unknown, message: RegExp])[] = [
  ['tensors that are none', undefined, {}, /The tensors are undefined. Give a list/],
  ['tensors by their names', { w }, {}, /The tensors are \{ w \}/],
  ['a tensor that is none', [w, null], {}, /Tensor 1 is null/],
  [
    'an unknown field',
    [{ ...w, dtpye: 'F32' }],
    {},
    /Tensor 0: unknown option "dtpye"; Tensor 0 knows name, dtype/,
  ],
  ['no name', [{ ...w, name: undefined }], {}, /Tensor 0 is named undefined/],
  ['a number for a name', [{ ...w, name: 0 }], {}, /Tensor 0 is named 0/],
  [
    'the name of the metadata',
    [{ ...w, name: '__metadata__' }],
    {},
    /Tensor "__metadata__" has the name of the metadata/,
  ],
  ['half of a surrogate pair', [{ ...w, name: 'a\ud800' }], {}, /half of a surrogate pair in its name/],
  ['one name twice', [w, { ...tensors[0], name: 'w' }], {}, /Two tensors are named "w"/],
  ['no dtype', [{ ...w, dtype: undefined }], {}, /Tensor "w" has dtype undefined; the format has BOOL/],
  ['a dtype of others', [{ ...w, dtype: 'float32' }], {}, /has dtype "float32"/],
  ['a dtype that every object has', [{ ...w, dtype: 'toString' }], {}, /has dtype "toString"/],
  ['no shape', [{ ...w, shape: undefined }], {}, /has shape undefined. Give a list/],
  ['a number for a shape', [{ ...w, shape: 2 }], {}, /has shape 2. Give a list/],
  ['a negative size', [{ ...w, shape: [-1, -2] }], {}, /has shape \[-1, -2\]. Give whole numbers/],
  ['a size that is no whole number', [{ ...w, shape: [0.5, 4] }], {}, /has shape \[0.5, 4\]/],
  ['a text for a size', [{ ...w, shape: ['2'] }], {}, /has shape \["2"\]/],
  ['a hole in a shape', [{ ...w, shape: Array(1) }], {}, /has shape \[undefined\]/],
  [
    'too many elements to count',
    [{ ...w, shape: [2 ** 40, 2 ** 40] }],
    {},
    /more elements than can be counted/,
  ],
  ['half a byte', [{ ...w, dtype: 'F4', shape: [3] }], {}, /ends within a byte/],
  ['no data', [{ ...w, data: undefined }], {}, /has data undefined. Give Float32Array, Uint8Array/],
  ['numbers', [{ ...w, data: 2 }], {}, /has data 2/],
  ['a text', [{ ...w, data: 'abcdefgh' }], {}, /has data "abcdefgh"/],
  [
    'an array of another type',
    [{ ...w, data: Int32Array.of(1, 2) }],
    {},
    /has dtype F32 and data a Int32Array. Give Float32Array/,
  ],
  [
    'float64 for float32',
    [{ ...w, shape: [1], data: Float64Array.of(1) }],
    {},
    /has dtype F32 and data a Float64Array/,
  ],
  ['too little data', [{ ...w, data: Float32Array.of(1) }], {}, /has 4 bytes of data; F32 \[1, 2\] takes 8/],
  ['too much data', [{ ...w, data: new Uint8Array(9) }], {}, /has 9 bytes of data; F32 \[1, 2\] takes 8/],
  ['metadata that are null', [w], null, /The metadata is null. Give an object of texts/],
  ['metadata in a Map', [w], new Map([['a', 'b']]), /The metadata is a Map/],
  ['a number in the metadata', [w], { step: 3 }, /The metadata has 3 for "step". Give texts only/],
  ['half of a surrogate pair in the metadata', [w], { k: '\udc00' }, /half of a surrogate pair in "k"/],
  ['half of a surrogate pair among their names', [w], { '\ud800': '' }, /half of a surrogate pair in/],
];

describe('what is refused before anything is written', () => {
  test.each(bad)('%s', async (_, given, texts, message) => {
    const { stream, seen } = watchedSink();
    const { code, message: said } = await errorOf(() =>
      writeSafetensors(stream, given as never, texts as never),
    );
    expect(code).toBe('invalid-safetensors');
    expect(said).toMatch(message);
    expect(said.length).toBeLessThan(500);
    // The stream is as it was, and can be used.
    expect(stream.locked).toBe(false);
    expect(seen).toEqual({ lengths: [], bytes: [], end: undefined });
  });

  test('a header that is too large', async () => {
    const { stream } = watchedSink();
    const { message } = await errorOf(() => writeSafetensors(stream, [], { long: 'a'.repeat(99_999_973) }));
    expect(message).toMatch(/would have 100000008 bytes; 100000000 are the most/);
    expect(stream.locked).toBe(false);
  });
});

describe('what fails on the way', () => {
  const pieces = (...given: unknown[]): WritableTensor => ({ ...w, data: given as Uint8Array[] });

  test.each([
    ['too few bytes', pieces(new Uint8Array(7)), /Tensor "w" gives 7 bytes; its dtype and shape take 8/],
    ['none', pieces(), /gives 0 bytes; its dtype/],
    [
      'too many bytes',
      pieces(new Uint8Array(8), new Uint8Array(1), new Uint8Array(1)),
      /gives 9 bytes or more; its/,
    ],
    [
      'what are no bytes',
      pieces(new Uint8Array(4), [1, 2, 3, 4]),
      /Tensor "w" gives \[1, 2, 3, 4\]. Let it give/,
    ],
  ])('pieces that are %s: the sink is aborted', async (_, tensor, message) => {
    const { stream, seen } = watchedSink();
    const error = await errorOf(() => writeSafetensors(stream, [tensor]));
    expect(error.code).toBe('invalid-safetensors');
    expect(error.message).toMatch(message);
    expect(seen.end).toEqual({ reason: error });
    expect(seen.bytes).toEqual([]);
  });

  test('pieces that throw: the sink is aborted for that reason', async () => {
    const failure = new Error('the device is gone');
    async function* generator(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(4);
      throw failure;
    }
    const { stream, seen } = watchedSink();
    await expect(writeSafetensors(stream, [{ ...w, data: generator() }])).rejects.toBe(failure);
    expect(seen.end).toEqual({ reason: failure });
  });

  test.each([
    ['before anything is written leave a file as it was', 4, 'what was there'],
    ['later empty it', 5 * MIB, ''],
  ])('pieces that throw %s', async (_, given, left) => {
    const failure = new Error('the device is gone');
    async function* generator(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(given);
      throw failure;
    }
    const path = join(folder, 'failed.safetensors');
    await writeFile(path, 'what was there');
    const file = await open(path, 'r+');
    const large = { name: 'large', dtype: 'U8', shape: [6 * MIB], data: generator() } as const;
    await expect(writeSafetensors(file, [large])).rejects.toBe(failure);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(left);
  });

  test.each(['half of which is written', 'of a piece', 'whose turn is yet to come'])(
    'a buffer %s that is given away meanwhile',
    async (kind) => {
      const data = new Uint8Array(9 * MIB);
      const { stream, seen } = watchedSink(() => {
        if (data.byteLength > 0) structuredClone(null, { transfer: [data.buffer] });
      });
      const large = {
        name: 'z',
        dtype: 'U8',
        shape: [9 * MIB],
        data: kind === 'of a piece' ? [data] : data,
      } as const;
      const before = { ...large, name: 'a', data: new Uint8Array(9 * MIB) };
      const given = kind === 'whose turn is yet to come' ? [before, large] : [large];
      const error = await errorOf(() => writeSafetensors(stream, given));
      expect(error.message).toContain('Data had 9437184 bytes, and 0 when they were to be written.');
      expect(seen.end).toEqual({ reason: error });
    },
  );

  test('a sink that fails: its error is told, and pieces are left', async () => {
    const failure = new Error('the disk is full');
    let isLeft = false;
    let given = 0;
    function* generator(): Generator<Uint8Array> {
      try {
        for (;;) {
          given += 1;
          yield new Uint8Array(MIB);
        }
      } finally {
        isLeft = true;
      }
    }
    const { stream } = watchedSink(() => {
      throw failure;
    });
    const large = { name: 'large', dtype: 'U8', shape: [100 * MIB], data: generator() } as const;
    await expect(writeSafetensors(stream, [large])).rejects.toBe(failure);
    expect(isLeft).toBe(true);
    expect(given).toBeLessThan(6);
  });

  test('a file that fails: the first error is told, not that of emptying it', async () => {
    const failure = new Error('the disk is full');
    const calls: unknown[] = [];
    const file = {
      write: async () => {
        throw failure;
      },
      truncate: async (byteLength: number) => {
        calls.push(byteLength);
        throw new Error('and gone');
      },
    };
    await expect(writeSafetensors(file, tensors)).rejects.toBe(failure);
    expect(calls).toEqual([0]);
    const full = { ...file, write: async () => ({ bytesWritten: 0 }) };
    expect((await errorOf(() => writeSafetensors(full, tensors))).message).toMatch(/takes no more at byte 0/);
  });

  test('an access handle without room is emptied, one that is closed is left', async () => {
    const room = expected.byteLength - 3;
    const handle = new FakeAccessHandle(new Random(inject('seed')), new Uint8Array(5), room);
    const { message } = await errorOf(() => writeSafetensors(handle, tensors, metadata));
    expect(message).toBe(`The sink takes no more at byte ${room}. Give one with room.`);
    expect(handle.getSize()).toBe(0);

    const failure = new Error('closed');
    const fail = (): never => {
      throw failure;
    };
    const closed = { write: fail, truncate: fail, flush: fail, getSize: fail };
    await expect(writeSafetensors(closed, tensors)).rejects.toBe(failure);
  });

  test('a sink that cannot be closed', async () => {
    const failure = new Error('no quota');
    const stream = new WritableStream({
      close() {
        throw failure;
      },
    });
    await expect(writeSafetensors(stream, tensors)).rejects.toBe(failure);
  });
});

describe('signals', () => {
  const reason = new Error('not wanted');

  test('one that is aborted before: the sink is left alone', async () => {
    const { stream, seen } = watchedSink();
    const signal = AbortSignal.abort(reason);
    await expect(writeSafetensors(stream, tensors, {}, { signal })).rejects.toBe(reason);
    expect(stream.locked).toBe(false);
    expect(seen.end).toBeUndefined();
  });

  test('one that is aborted while pieces are waited for', async () => {
    const { stream, seen } = watchedSink();
    const controller = new AbortController();
    const hanging = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    const writing = writeSafetensors(stream, [{ ...w, data: hanging }], {}, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await expect(writing).rejects.toBe(reason);
    expect(seen.end).toEqual({ reason });
  });

  test('one that is aborted while nobody reads the other end of a pipe', async () => {
    const { writable } = new TransformStream<Uint8Array, Uint8Array>();
    const controller = new AbortController();
    const large = { name: 'large', dtype: 'U8', shape: [4], data: new Uint8Array(4) } as const;
    const writing = writeSafetensors(writable, [large], {}, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await expect(writing).rejects.toBe(reason);
  });

  test('one that is aborted while a file is written: it is emptied behind the write', async () => {
    const controller = new AbortController();
    const calls: string[] = [];
    const file = {
      async write(_: Uint8Array, offset: number, length: number) {
        controller.abort(reason);
        await new Promise((resolve) => void setTimeout(resolve, 5));
        calls.push(`${offset} to ${offset + length}`);
        return { bytesWritten: length };
      },
      truncate: async (byteLength: number) => void calls.push(`cut at ${byteLength}`),
    };
    const writing = writeSafetensors(file, tensors, metadata, { signal: controller.signal });
    await expect(writing).rejects.toBe(reason);
    expect(calls).toEqual([`0 to ${expected.byteLength}`, 'cut at 0']);
  });

  test('refused: what is none', async () => {
    const { message } = await errorOf(() => writeSafetensors('bytes', tensors, {}, { signal: 1 as never }));
    expect(message).toBe('writeSafetensors() has signal 1. Give the signal of an AbortController.');
  });
});
