import { closeSync } from 'node:fs';
import { type FileHandle, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFile } from '../../src/checkpoint/files.js';
import { writeSafetensors } from '../../src/safetensors/index.js';
import { errorOf } from '../support/error-of.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-checkpoint-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a file has its name when all of it is there, and what was there before until then', async () => {
  const path = join(folder, 'run.safetensors');
  await writeFile(path, 'before');
  const tensor = { name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const;
  const failed = await openFile({ path });
  await writeSafetensors(failed.sink as 'bytes', [tensor]);
  expect(await readFile(path, 'utf8')).toBe('before');
  await failed.discard();
  expect(await readdir(folder)).toEqual(['run.safetensors']);
  const file = await openFile({ path });
  await writeSafetensors(file.sink as 'bytes', [tensor]);
  await file.commit();
  expect(await readdir(folder)).toEqual(['run.safetensors']);
  expect(new Uint8Array(await readFile(path))).toEqual(await writeSafetensors('bytes', [tensor]));
});

test('a file that cannot be closed is removed', async () => {
  const path = join(folder, 'closed.safetensors');
  const file = await openFile({ path });
  closeSync((file.sink as unknown as FileHandle).fd);
  await expect(file.discard()).rejects.toThrow('EBADF');
  expect((await readdir(folder)).filter((name) => name.startsWith('closed'))).toEqual([]);
});

test('bad files', async () => {
  expect((await errorOf(() => openFile({ path: '' }))).message).toContain('path is ""');
  expect((await errorOf(() => openFile({ directory: {}, name: 3 } as never))).message).toContain('name is 3');
});
