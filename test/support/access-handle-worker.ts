/** A worker that writes and reads a file of the origin private file system by `createSyncAccessHandle()`, which pages do not have. */
import {
  type ReadableAccessHandle,
  type WritableAccessHandle,
  type WritableTensor,
  readSafetensors,
  writeSafetensors,
} from '../../src/safetensors/index.js';

/** What it is to write, and where. */
export interface AccessJob {
  readonly handle: FileSystemFileHandle;
  readonly tensors: readonly WritableTensor[];
  readonly metadata: Record<string, string>;
}

/** A file of what it read, and how many bytes were left by a write that failed; or why it failed itself. */
export type AccessReport =
  | { readonly file: Uint8Array<ArrayBuffer>; readonly failedByteLength: number }
  | { readonly error: string };

type AccessHandle = ReadableAccessHandle & WritableAccessHandle & { close(): void };

addEventListener('message', ({ data }: MessageEvent<AccessJob>) => {
  void run(data)
    .catch((error: unknown): AccessReport => ({ error: String(error) }))
    .then((report) => postMessage(report));
});

async function run({ handle, tensors, metadata }: AccessJob): Promise<AccessReport> {
  const access = await (
    handle as unknown as { createSyncAccessHandle(): Promise<AccessHandle> }
  ).createSyncAccessHandle();
  try {
    const cut = { ...tensors[0]!, data: [new Uint8Array(4 * 2 ** 20)] };
    await writeSafetensors(access, [cut]).catch(() => undefined);
    const failedByteLength = access.getSize();
    await writeSafetensors(access, tensors, metadata);
    const found = await readSafetensors(access);
    return {
      file: await writeSafetensors('bytes', found.tensors.values(), found.metadata),
      failedByteLength,
    };
  } finally {
    access.close();
  }
}
