import { OptimizerError, quote } from '../errors.js';
import type { SafetensorsSink, WritableNodeFile } from '../safetensors/sink.js';

/** A file by its name: it is written under another one, and renamed when all of it is there. */
export type FileSink =
  /** In Node, Deno and Bun. */
  | { readonly path: string }
  /** In browsers, as the origin private file system. */
  | { readonly directory: FileSystemDirectoryHandle; readonly name: string };

/** A sink that becomes a file in the end, or not. */
interface OpenedFile {
  readonly sink: SafetensorsSink | 'bytes';
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** What of `node:fs/promises` is used. */
interface NodeFiles {
  open(
    path: string,
    flags: string,
  ): Promise<WritableNodeFile & { sync(): Promise<void>; close(): Promise<void> }>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean }): Promise<void>;
}

/** A file's name as it is now; a sink of another kind is the same. */
export function copyName<S>(given: S | FileSink): S | FileSink {
  const isName = typeof given === 'object' && given !== null && ('path' in given || 'directory' in given);
  return isName ? { ...given } : given;
}

/** Opens what is to be written; of a file by name, one with another name beside it. */
export async function openFile(given: SafetensorsSink | FileSink | 'bytes'): Promise<OpenedFile> {
  if (typeof given === 'object' && given !== null) {
    if ('path' in given) return openPath(given.path);
    if ('directory' in given) return openEntry(given.directory, given.name);
  }
  return { sink: given, commit: async () => undefined, discard: async () => undefined };
}

async function openPath(path: unknown): Promise<OpenedFile> {
  if (typeof path !== 'string' || path === '') fail(`path is ${quote(path)}; give the path of a file.`);
  const files = nodeFiles();
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await files.open(temporary, 'wx');
  return {
    sink: file,
    async commit() {
      // On the disk before its name says that it is there.
      await file.sync();
      await file.close();
      await files.rename(temporary, path);
    },
    async discard() {
      try {
        await file.close();
      } finally {
        await files.rm(temporary, { force: true });
      }
    },
  };
}

/** A handle's file is as it was until the stream is closed: the platform has the temporary one. */
async function openEntry(directory: FileSystemDirectoryHandle, name: unknown): Promise<OpenedFile> {
  if (typeof name !== 'string' || name === '') fail(`name is ${quote(name)}; give the name of a file.`);
  const existed = await directory.getFileHandle(name).then(
    () => true,
    () => false,
  );
  const handle = await directory.getFileHandle(name, { create: true });
  return {
    sink: handle,
    commit: async () => undefined,
    async discard() {
      if (!existed) await directory.removeEntry(name);
    },
  };
}

function nodeFiles(): NodeFiles {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const files = process?.getBuiltinModule?.('node:fs/promises') as NodeFiles | undefined;
  return files ?? fail('there are no paths here; give { directory, name } or a WritableStream.');
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', `saveCheckpoint(): ${message}`);
}
