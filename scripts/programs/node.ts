/** In place of what programs for Node import: files come from the server of the page, and what is written goes nowhere. */

/** Options of a command line: their defaults, and in place of them what the list of programs says. */
export class ArgumentParser {
  readonly #values: Record<string, unknown> = {};

  addArgument(flag: string, { defaultValue }: { defaultValue?: unknown } = {}): void {
    this.#values[flag.trim().replace(/^-+/, '')] = defaultValue ?? null;
  }

  parseArgs(): Record<string, unknown> {
    return { ...this.#values, ...(globalThis as { programArgs?: Record<string, unknown> }).programArgs };
  }
}

/** What programs use of Node's buffers. */
class Bytes extends Uint8Array<ArrayBuffer> {
  readonly #view = new DataView(this.buffer);

  readUInt8(at: number): number {
    return this[at]!;
  }

  readInt32LE(at: number): number {
    return this.#view.getInt32(at, true);
  }

  readUInt32BE(at: number): number {
    return this.#view.getUint32(at);
  }
}

/** Waits for it, as programs for Node do. */
export function readFileSync(path: string): Bytes {
  const request = new XMLHttpRequest();
  request.open('GET', `/${basename(path)}`, false);
  // Bytes as characters, the only form in which a page may wait for them.
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  return Bytes.from(request.responseText, (character) => character.charCodeAt(0) & 0xff) as Bytes;
}

export const readFile = (path: string, done: (error: null, bytes: Bytes) => void): void =>
  done(null, readFileSync(path));

export const promisify =
  (call: typeof readFile) =>
  async (path: string): Promise<Bytes> =>
    new Promise((resolve) => {
      call(path, (_, bytes) => resolve(bytes));
    });

export const existsSync = (): boolean => true;
export const lstatSync = () => ({ size: 1 });
export const createWriteStream = (): object => ({});
export const get = (_url: string, done: (response: object) => void): void =>
  done({ pipe: () => ({ on: (_event: string, closed: () => void) => closed() }) });

const nothing = (): void => {};
export { nothing as mkdir, nothing as mkdirSync, nothing as sync, nothing as writeFileSync };

export const basename = (path: string): string => path.split('/').at(-1)!;
export const dirname = (path: string): string => path.split('/').slice(0, -1).join('/');
export const join = (...parts: readonly string[]): string => parts.join('/');
export const tmpdir = (): string => '/tmp';

export function equal(a: unknown, b: unknown): void {
  if (a !== b) throw new Error(`${String(a)} is not ${String(b)}`);
}

export const chunk = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, k) => items.slice(k * size, (k + 1) * size));

export const createCanvas = (width: number, height: number): HTMLCanvasElement =>
  Object.assign(document.createElement('canvas'), { width, height });

/** `papaparse`: rows by the names of their columns. */
export async function parse(
  url: string,
  { complete }: { complete: (results: { data: object[] }) => void },
): Promise<void> {
  const text = await (await fetch(url)).text();
  const [names, ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  complete({ data: rows.map((row) => Object.fromEntries(row.map((value, k) => [names![k]!, value]))) });
}
