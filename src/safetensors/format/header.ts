import { quote } from '../../errors.js';
import { define } from '../../given.js';
import { type SafetensorsDType, byteLengthOf, dtypes, isDType } from './dtypes.js';
import { refuse } from './refuse.js';
import { Scanner } from './scanner.js';

/** The key of what a header has beside tensors. */
export const METADATA = '__metadata__';

/** A tensor as a header describes it. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** Where its bytes are, from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says. */
export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes, which lie without holes. */
  readonly tensors: readonly TensorEntry[];
}

/**
 * Reads a header and makes every check that needs nothing but it.
 *
 * @param bytes without the length before them.
 * @throws OptimizerError `invalid-safetensors`.
 */
export function parseHeader(bytes: Uint8Array): Header {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    refuse('The header is not UTF-8. Write the file anew.', cause);
  }
  // The format's documentation says so; the reference takes white space before it.
  if (!text.startsWith('{')) {
    refuse(`The header begins with ${quote(text.slice(0, 10))} in place of "{". Write the file anew.`);
  }
  const metadata: Record<string, string> = {};
  const tensors: TensorEntry[] = [];
  const scanner = new Scanner(text);
  scanner.object('the header', (name) => {
    if (name !== METADATA) {
      tensors.push(parseTensor(scanner, name));
      return;
    }
    const what = `${METADATA} (an object of strings)`;
    scanner.object(what, (key) =>
      define(metadata, key, scanner.string(`a string, the value of ${quote(key)} in ${what}`)),
    );
  });
  scanner.end();
  return { metadata, tensors: inOrder(tensors) };
}

function parseTensor(scanner: Scanner, name: string): TensorEntry {
  const what = `tensor ${quote(name)}`;
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object(`${what} (an object of dtype, shape and data_offsets)`, (field) => {
    if (field === 'dtype') dtype = scanner.string(`the dtype of ${what} (a string)`);
    else if (field === 'shape') shape = scanner.naturals(`the shape of ${what} (a list of whole numbers)`);
    else if (field === 'data_offsets') offsets = scanner.naturals(`data_offsets of ${what} (two numbers)`);
    else
      refuse(`The header gives ${what} a field ${quote(field)}. Write dtype, shape and data_offsets only.`);
  });
  for (const [field, value] of Object.entries({ dtype, shape, data_offsets: offsets })) {
    if (value === undefined) refuse(`The header gives ${what} no ${field}. Write the file anew.`);
  }
  if (!isDType(dtype)) {
    refuse(`The header gives ${what} the dtype ${quote(dtype)}; the format has ${dtypes.join(', ')}.`);
  }
  if (offsets!.length !== 2) {
    refuse(`The header gives ${what} data_offsets ${quote(offsets)}. Write two: begin and end.`);
  }
  return { name, dtype, shape: shape!, begin: offsets![0]!, end: offsets![1]! };
}

/** The tensors by their places; throws unless they lie behind one another, each as long as its shape says. */
function inOrder(tensors: readonly TensorEntry[]): TensorEntry[] {
  const sorted = tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let next = 0;
  for (const { name, dtype, shape, begin, end } of sorted) {
    const what = `Tensor ${quote(name)}`;
    if (begin !== next) {
      const fault = begin > next ? 'bytes between them belong to none' : 'two tensors would share bytes';
      refuse(
        `${what} begins at byte ${begin} where the one before it ends at ${next}: ${fault}. Write the file anew.`,
      );
    }
    const byteLength = byteLengthOf(dtype, shape, what);
    if (end - begin !== byteLength) {
      refuse(
        `${what} has bytes ${begin} to ${end}; ${dtype} ${quote(shape)} takes ${byteLength}. Write the file anew.`,
      );
    }
    next = end;
  }
  return sorted;
}
