import { readFile } from 'node:fs/promises';

/**
 * Reads a file.
 *
 * @param what what it should be, for the message.
 * @throws Error in plain words, naming it.
 */
export async function readBytes(file: string, what: string): Promise<Uint8Array> {
  return await readFile(file).catch((error: unknown) => {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const reason = { ENOENT: 'does not exist', EISDIR: 'is a folder', EACCES: 'may not be read' }[code];
    throw new Error(`"${file}" ${reason ?? `cannot be read (${code})`}; give the path of ${what}.`);
  });
}
