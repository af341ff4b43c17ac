/** The sources and sinks that browsers have: files of safetensors go to each and come back. */
import { expect, inject, test } from 'vitest';
import {
  type SafetensorsSink,
  type SafetensorsSource,
  readSafetensors,
  writeSafetensors,
} from '../../src/safetensors/index.js';
import { Random } from '../../proof/random.js';
import type { AccessJob, AccessReport } from '../support/access-handle-worker.js';
import { errorOf } from '../support/error-of.js';

// More than is read or written at once.
const weights = new Random(inject('seed')).weights(2 ** 20 + 5);
const tensors = [
  { name: 'w "1"\n', dtype: 'F32', shape: [weights.length], data: weights },
  { name: '__proto__', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
] as const;
const metadata = { ['__proto__']: 'é😀' };
const file = await writeSafetensors('bytes', tensors, metadata);

/** What is read is what was written; numbers one by one would take long to compare. */
async function expectSame(source: SafetensorsSource): Promise<void> {
  const found = await readSafetensors(source);
  expect(found.metadata).toEqual(metadata);
  expect([...found.tensors.keys()]).toEqual(tensors.map(({ name }) => name));
  for (const { name, shape, data } of tensors) {
    const tensor = found.tensors.get(name)!;
    expect(tensor.shape).toEqual(shape);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    expect(indexOfDifference(await tensor.bytes(), bytes)).toBe(-1);
  }
}

function indexOfDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.byteLength !== b.byteLength) return Math.min(a.byteLength, b.byteLength);
  for (let k = 0; k < a.byteLength; k += 1) if (a[k] !== b[k]) return k;
  return -1;
}

test('a Blob, a File and their streams', async () => {
  const blob = await writeSafetensors('blob', tensors, metadata);
  expect(blob.size).toBe(file.byteLength);
  await expectSame(blob);
  await expectSame(new File([blob], 'model.safetensors'));
  await expectSame(blob.stream());
  await expectSame(new Response(blob).body!);
});

test('a pipe that is read at the same time', async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  await Promise.all([writeSafetensors(writable, tensors, metadata), expectSame(readable)]);
});

test('the origin private file system: a file is there when all of it is', async () => {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle('test.safetensors', { create: true });
  try {
    await writeSafetensors(handle, tensors, metadata);
    expect((await handle.getFile()).size).toBe(file.byteLength);
    await expectSame(handle);

    const failing: SafetensorsSink[] = [handle, await handle.createWritable()];
    for (const sink of failing) {
      const cut = { ...tensors[0], data: [new Uint8Array(2 ** 20), new Uint8Array(5)] };
      const { message } = await errorOf(() => writeSafetensors(sink, [cut]));
      expect(message).toMatch(/gives 1048581 bytes; its dtype and shape take/);
      await expectSame(handle);
    }
    const writable = await handle.createWritable();
    await writeSafetensors(writable, [tensors[1]]);
    const { tensors: found } = await readSafetensors(handle);
    expect([...(await found.get('__proto__')!.bytes())]).toEqual([1, 2, 3]);
  } finally {
    await root.removeEntry('test.safetensors');
  }
});

test('an access handle, which workers have: written, read, and emptied where writing fails', async () => {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle('worker.safetensors', { create: true });
  const worker = new Worker(new URL('../support/access-handle-worker.ts', import.meta.url), {
    type: 'module',
  });
  try {
    const report = await new Promise<AccessReport>((resolve) => {
      worker.addEventListener('message', ({ data }: MessageEvent<AccessReport>) => resolve(data));
      worker.addEventListener('error', ({ message }) => resolve({ error: message }));
      const job: AccessJob = { handle, tensors, metadata };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
      worker.postMessage(job);
    });
    if ('error' in report) throw new Error(report.error);
    expect(report.failedByteLength).toBe(0);
    expect(indexOfDifference(report.file, file)).toBe(-1);
    // It is closed, or its file could not be removed.
    await expectSame(handle);
  } finally {
    worker.terminate();
    await root.removeEntry('worker.safetensors');
  }
});
