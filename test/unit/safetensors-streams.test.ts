/** Files that come as streams, and signals that end reading. */
import { describe, expect, inject, test } from 'vitest';
import { readSafetensors } from '../../src/safetensors/index.js';
import { Random } from '../../proof/random.js';
import { fileOf } from '../fixtures/recorded/safetensors/make-file.js';
import { errorOf } from '../support/error-of.js';
import { file } from '../support/safetensors-files.js';
import { contentsOf, contentsOfFile, cutAtRandom, streamOf, watchedStream } from '../support/safetensors.js';

const random = new Random(inject('seed'));

const contents = await contentsOf(file);

describe('streams', () => {
  const openStream = () => readSafetensors(streamOf(cutAtRandom(file, random)));
  const bytesOf = (name: string): number[] => [...contents.tensors.find(([one]) => one === name)![3]];

  test('tensors may be passed over, and calls need not be awaited', async () => {
    const { tensors } = await openStream();
    const [c, last] = await Promise.all([tensors.get('c')!.bytes(), tensors.get('last')!.bytes()]);
    expect([...c]).toEqual(bytesOf('c'));
    expect([...last]).toEqual(bytesOf('last'));
  });

  test('what is past cannot be read, and what is not still can', async () => {
    const { tensors } = await openStream();
    await tensors.get('c')!.bytes();
    const { code, message } = await errorOf(() => tensors.get('a')!.bytes());
    expect(code).toBe('invalid-safetensors');
    expect(message).toMatch(/Byte \d+ of a stream is wanted, which is at byte \d+ already/);
    expect([...(await tensors.get('last')!.bytes())]).toEqual(bytesOf('last'));
  });

  test('one that fails says why, each time', async () => {
    const failure = new Error('the network is gone');
    const { stream } = watchedStream([file.slice(0, -500)], failure);
    async function* generator(): AsyncGenerator<Uint8Array> {
      yield file.slice(0, -500);
      throw failure;
    }
    for (const source of [stream, generator()]) {
      const { tensors } = await readSafetensors(source);
      await tensors.get('a')!.bytes();
      await expect(tensors.get('c')!.bytes()).rejects.toBe(failure);
      await expect(tensors.get('last')!.bytes()).rejects.toBe(failure);
    }
  });

  test('a file that is no such file is left, with the reason', async () => {
    const { stream, seen } = watchedStream([fileOf('{"a":1}'), new Uint8Array(1000)]);
    const error = await errorOf(() => readSafetensors(stream));
    expect(seen.cancelled).toEqual([error]);
    let isLeft = false;
    async function* generator(): AsyncGenerator<Uint8Array> {
      try {
        yield fileOf('[]');
        yield new Uint8Array(1000);
      } finally {
        isLeft = true;
      }
    }
    await errorOf(() => readSafetensors(generator()));
    expect(isLeft).toBe(true);
  });

  test('closed, it is cancelled, and nothing more is read', async () => {
    const { stream, seen } = watchedStream(cutAtRandom(file, random));
    for (const source of [stream, new Blob([file])]) {
      const opened = await readSafetensors(source);
      await opened.tensors.get('a')!.bytes();
      opened.close();
      const { message } = await errorOf(() => opened.tensors.get('c')!.bytes());
      expect(message).toBe('The file was closed with close(). Read before that.');
    }
    expect(seen.cancelled).toEqual([undefined]);
  });

  test('one that is read to its end is not cancelled', async () => {
    const { stream, seen } = watchedStream(cutAtRandom(file, random));
    const opened = await readSafetensors(stream);
    expect(await contentsOfFile(opened)).toEqual(contents);
    opened.close();
    expect(seen.cancelled).toEqual([]);
  });
});

describe('signals', () => {
  test('one that is aborted before', async () => {
    const reason = new Error('not wanted');
    const { stream, seen } = watchedStream([file]);
    await expect(readSafetensors(stream, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(seen.given).toBe(0);
  });

  test.each([4, 20])('a stream that hangs at byte %i is left', async (at) => {
    const { stream, seen } = watchedStream([file.slice(0, at)], 'hangs');
    const controller = new AbortController();
    const opening = readSafetensors(stream, { signal: controller.signal });
    const reason = new Error('too slow');
    setTimeout(() => controller.abort(reason), 5);
    await expect(opening).rejects.toBe(reason);
    expect(seen.cancelled).toEqual([reason]);
  });

  test('a tensor that hangs, and all behind it, of a stream and of a file', async () => {
    const hanging = {
      stat: async () => ({ size: file.byteLength }),
      read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
        if (position >= file.byteLength - 500) await new Promise(() => undefined);
        buffer.set(file.subarray(position, position + length), offset);
        return { bytesRead: length };
      },
    };
    const { stream, seen } = watchedStream([file.slice(0, -500)], 'hangs');
    const reason = new Error('too slow');
    for (const source of [stream, hanging]) {
      const controller = new AbortController();
      const { tensors } = await readSafetensors(source, { signal: controller.signal });
      await tensors.get('a')!.bytes();
      const reads = source === stream ? [tensors.get('c')!.bytes()] : [];
      reads.push(tensors.get('last')!.bytes());
      setTimeout(() => controller.abort(reason), 5);
      for (const read of reads) await expect(read).rejects.toBe(reason);
      await expect(tensors.get('last')!.bytes()).rejects.toBe(reason);
    }
    expect(seen.cancelled).toEqual([reason]);
  });

  test.each([
    [null, 'readSafetensors() has options null. Give an object, { signal }, or nothing.'],
    [{ singal: 1 }, 'readSafetensors() has an option "singal"; it knows signal.'],
    [{ signal: {} }, 'readSafetensors() has signal {  }. Give the signal of an AbortController.'],
  ])('refused: %j', async (options, message) => {
    expect((await errorOf(() => readSafetensors(file, options as never))).message).toBe(message);
  });
});
