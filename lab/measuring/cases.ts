/** A workload as asked for: what a device's limits decide is still open. */
export interface CaseRequest {
  /** As written on the command line and in results, e.g. `1e7`, `1000x1e3` or `5e7@128MiB`. */
  readonly text: string;
  readonly tensorCount: number;
  /** `past-binding-limit`: a tenth more than one storage binding of the device can hold. */
  readonly elementsPerTensor: number | typeof PAST_BINDING_LIMIT;
  /** Bytes that the device's storage bindings are restricted to; absent: what the adapter offers. */
  readonly maxBinding?: number;
}

/** One workload: how many tensors, and how many elements each of them has. */
export interface BenchCase extends CaseRequest {
  readonly elementsPerTensor: number;
}

/** The size of a tensor that no single binding can hold. */
export const PAST_BINDING_LIMIT = 'past-binding-limit';

/** Every WebGPU device has bindings this large, in bytes; one that is asked for less ignores it. */
const LEAST_BINDING_LIMIT = 128 * 2 ** 20;

const UNITS = { MiB: 2 ** 20, GiB: 2 ** 30 };

/** The cases that are run unless `--sizes` says otherwise. The last is as small as a tensor in several buffers gets. */
export const DEFAULT_CASES = `1e4,1e5,1e6,1e7,100x1e4,1000x1e3,${PAST_BINDING_LIMIT}@128MiB`;

/** The cases of `--quick`. */
export const QUICK_CASES = '1e5,1e6,100x1e4';

/** The cases of `--curve`. */
export const CURVE_CASES = '1e3,3e3,1e4,3e4,1e5,3e5,1e6,3e6,1e7,3e7,1e8';

/**
 * Reads a case such as `1e7` (one tensor), `1000x1e3` (tensors × elements) or `past-binding-limit`, each with or
 * without a binding limit of its own, as in `5e7@128MiB`.
 *
 * @throws Error quoting the text if it is none of them.
 */
export function parseCase(text: string): CaseRequest {
  const [size, limit, ...rest] = text.split('@');
  const numbers = size!.split('x');
  if (rest.length > 0 || numbers.length > 2) {
    throw new Error(
      `"${text}" is no case; write elements as in 1e7, tensors x elements as in 1000x1e3 or ${PAST_BINDING_LIMIT}, ` +
        'and a limit after @ as in 5e7@128MiB.',
    );
  }
  const elements = numbers.at(-1)!;
  return {
    text,
    tensorCount: numbers.length === 2 ? parseElements(numbers[0]!) : 1,
    elementsPerTensor: elements === PAST_BINDING_LIMIT ? elements : parseElements(elements),
    ...(limit !== undefined && { maxBinding: parseBytes(limit) }),
  };
}

/**
 * Reads a count such as `1e7`.
 *
 * @throws Error quoting the text if it is no positive integer.
 */
export function parseElements(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(
    `"${text}" is no size; write a positive integer, as in 1e7 or 1000, or ${PAST_BINDING_LIMIT}.`,
  );
}

/**
 * Reads a binding limit such as `128MiB`, in bytes.
 *
 * @throws Error quoting the text if it is none, or less than WebGPU guarantees.
 */
export function parseBytes(text: string): number {
  const [, digits, unit] = /^(\d+)(MiB|GiB)$/u.exec(text) ?? [];
  const bytes = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (bytes >= LEAST_BINDING_LIMIT) return bytes;
  throw new Error(`"${text}" is no binding limit; write MiB or GiB as in 256MiB, 128MiB or more.`);
}

/** The case with a binding limit in bytes, a whole number of MiB, unless it has one of its own. */
export function restrictCase(request: CaseRequest, maxBinding: number): CaseRequest {
  if (request.maxBinding !== undefined) return request;
  return { ...request, text: `${request.text}@${maxBinding / UNITS.MiB}MiB`, maxBinding };
}

/**
 * Settles what the device decides.
 *
 * @param adapterLimit the adapter's `maxStorageBufferBindingSize` in bytes.
 * @returns the case; of `past-binding-limit`, its text has the number, in three digits.
 */
export function resolveCase(request: CaseRequest, adapterLimit: number): BenchCase {
  const { text, elementsPerTensor, maxBinding = Infinity } = request;
  if (elementsPerTensor !== PAST_BINDING_LIMIT) return { ...request, elementsPerTensor };
  const tooMany = (1.1 * Math.min(adapterLimit, maxBinding)) / Float32Array.BYTES_PER_ELEMENT;
  const resolved = Number(tooMany.toPrecision(3));
  const written = resolved.toExponential().replace('e+', 'e');
  return { ...request, text: text.replace(PAST_BINDING_LIMIT, written), elementsPerTensor: resolved };
}

/** Elements of all tensors together. */
export function totalElements({ tensorCount, elementsPerTensor }: BenchCase): number {
  return tensorCount * elementsPerTensor;
}
