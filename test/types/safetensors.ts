/** What of reading and writing safetensors does not compile, and what must. `npm run typecheck` is the test. */
import {
  type ReadableAccessHandle,
  type ReadableNodeFile,
  type SafetensorsDType,
  type WritableAccessHandle,
  type WritableNodeFile,
  readSafetensors,
  writeSafetensors,
} from '../../src/safetensors/index.js';

declare const handle: FileSystemFileHandle;
declare const node: ReadableNodeFile & WritableNodeFile;
declare const access: ReadableAccessHandle & WritableAccessHandle;
declare const stream: ReadableStream<Uint8Array>;
const data = new Float32Array(1);
const tensor = { name: 'w', dtype: 'F32', shape: [1], data } as const;

/** Never called: only its types count. */
export async function reading(): Promise<void> {
  const file = await readSafetensors(handle, { signal: AbortSignal.timeout(1000) });
  await readSafetensors(new Blob());
  await readSafetensors(node);
  await readSafetensors(access);
  await readSafetensors(stream);
  await readSafetensors([new Uint8Array()]);
  // @ts-expect-error -- a path
  await readSafetensors('model.safetensors');
  // @ts-expect-error -- a misspelt option
  await readSafetensors(stream, { singal: AbortSignal.timeout(1000) });
  const format: string | undefined = file.metadata['format'];
  // @ts-expect-error -- it is read only
  file.metadata['format'] = format;
  for (const { dtype, shape } of file.tensors.values()) {
    const known: SafetensorsDType = dtype;
    // @ts-expect-error -- it is read only
    shape[0] = known.length;
  }
  new Float32Array((await file.tensors.get('w')!.bytes()).buffer).fill(0);
  for await (const piece of file.tensors.get('w')!.pieces(1000)) piece.fill(0);
}

/** Never called: only its types count. */
export async function writing(): Promise<void> {
  const bytes: Uint8Array<ArrayBuffer> = await writeSafetensors('bytes', [tensor]);
  const blob: Blob = await writeSafetensors('blob', [tensor], { format: 'pt' });
  await writeSafetensors(handle, [tensor]);
  await writeSafetensors(await handle.createWritable(), [tensor]);
  await writeSafetensors(access, [tensor]);
  await writeSafetensors(node, new Set([tensor]), undefined, { signal: AbortSignal.timeout(1000) });
  await writeSafetensors(new WritableStream<Uint8Array<ArrayBuffer>>(), [{ ...tensor, data: [bytes] }]);
  await writeSafetensors('bytes', (await readSafetensors(blob)).tensors.values());
  // @ts-expect-error -- a path
  await writeSafetensors('model.safetensors', [tensor]);
  // @ts-expect-error -- a name of others
  await writeSafetensors('bytes', [{ ...tensor, dtype: 'float32' }]);
  // @ts-expect-error -- numbers
  await writeSafetensors('bytes', [{ ...tensor, data: [1] }]);
  // @ts-expect-error -- no text
  await writeSafetensors('bytes', [tensor], { step: 3 });
}
