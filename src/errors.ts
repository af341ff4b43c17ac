/**
 * What kind of thing went wrong; stable, for programs. The message is for people, and `docs/troubleshooting.md` has a heading
 * for each code, with causes and remedies.
 *
 * - `invalid-option`: a rule option is unknown, of the wrong type or out of range.
 * - `invalid-rule`: what was given to `defineRule` or `definePart` makes no rule.
 * - `invalid-config`: a field of the config is unknown, missing or contradictory.
 * - `invalid-parameter`: a parameter's buffers cannot be used as given.
 * - `invalid-state-dict`: a state dict does not fit this optimizer.
 * - `invalid-safetensors`: a file is not as the format of safetensors says, or what is to be read or written cannot be.
 * - `invalid-checkpoint`: a file is no checkpoint, or was changed since it was written.
 * - `invalid-delta`: what peers exchange is cut, changed, or of another round, model or version.
 * - `limit-exceeded`: the device's limits, or those of buffers of the host, do not allow what was asked.
 * - `out-of-memory`: the device could not allocate optimizer state.
 * - `destroyed`: the optimizer was used after `destroy()`.
 * - `device-lost`: the device is lost; nothing can run on it again.
 * - `shader`: a kernel did not compile, which is a bug of this library or of the WebGPU implementation.
 * - `fleet`: peers of a fleet cannot reach each other, or cannot agree; what each has learnt is still there.
 */
export type OptimizerErrorCode =
  | 'invalid-option'
  | 'invalid-rule'
  | 'invalid-config'
  | 'invalid-parameter'
  | 'invalid-state-dict'
  | 'invalid-safetensors'
  | 'invalid-checkpoint'
  | 'invalid-delta'
  | 'limit-exceeded'
  | 'out-of-memory'
  | 'destroyed'
  | 'device-lost'
  | 'shader'
  | 'fleet';

/** Has a heading for each code. */
const TROUBLESHOOTING = 'https://github.com/webgpu-optim/webgpu-optim/blob/main/docs/troubleshooting.md';

/**
 * The one class of error that this library throws on bad input. The message quotes the offending value and
 * says what to do; whatever was asked for has not happened, not even in part.
 */
export class OptimizerError extends Error {
  /** The kind of error, for programs. */
  readonly code: OptimizerErrorCode;

  constructor(code: OptimizerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OptimizerError';
    this.code = code;
  }

  /** The address of what is known about this code: messages, causes, remedies. */
  get help(): string {
    return `${TROUBLESHOOTING}#${this.code}`;
  }
}

/** Longest text, and longest list, that a message quotes in full. */
const LONGEST_TEXT = 200;
const LONGEST_LIST = 8;

/** Renders any value for an error message: short, unambiguous, never throwing. */
export function quote(value: unknown): string {
  return quoteNested(value, 2);
}

/** @param depth how many lists in lists are shown; a list may contain itself. */
function quoteNested(value: unknown, depth: number): string {
  try {
    if (typeof value === 'string') {
      return JSON.stringify(value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value);
    }
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') {
      const { name }: { name: unknown } = value;
      return `function ${typeof name === 'string' && name !== '' ? name : '(anonymous)'}`;
    }
    if (Object.is(value, -0)) return '-0';
    if (Array.isArray(value)) {
      if (depth === 0) return '[…]';
      const shown = Array.from(value.slice(0, LONGEST_LIST), (entry) => quoteNested(entry, depth - 1));
      return `[${shown.join(', ')}${value.length > LONGEST_LIST ? ', …' : ''}]`;
    }
    if (typeof value !== 'object' || value === null) return String(value);
    const name: unknown = value.constructor?.name ?? 'Object';
    if (typeof name === 'string' && name !== 'Object' && name !== '') return `a ${name}`;
    const keys = Object.keys(value);
    return `{ ${keys.slice(0, LONGEST_LIST).join(', ')}${keys.length > LONGEST_LIST ? ', …' : ''} }`;
  } catch {
    // A revoked Proxy, a getter that throws.
    return `${typeof value === 'object' ? 'an object' : `a ${typeof value}`} that cannot be read`;
  }
}

/**
 * The names of an object's enumerable properties, its own and those it inherits.
 *
 * @throws OptimizerError `invalid-option` if they cannot be listed, as those of some Proxies.
 */
export function propertyNames(given: object): string[] {
  const names: string[] = [];
  try {
    for (const name in given) names.push(name);
  } catch (cause) {
    throw new OptimizerError('invalid-option', `${quote(given)}: give a plain object.`, { cause });
  }
  return names;
}

/**
 * A property, read once.
 *
 * @param what the property, for the error.
 * @throws OptimizerError of that code if reading it throws.
 */
export function readProperty(given: object, name: string, what: string, code: OptimizerErrorCode): unknown {
  try {
    return (given as Readonly<Record<string, unknown>>)[name];
  } catch (cause) {
    throw new OptimizerError(code, `${what} cannot be read; give a plain value.`, { cause });
  }
}

/** Throws unless every key of `given`, own or inherited, is one of `known`; the error lists the known ones. */
export function rejectUnknownKeys(
  given: object,
  known: readonly string[],
  what: string,
  code: OptimizerErrorCode,
): void {
  for (const key of propertyNames(given)) {
    if (known.includes(key)) continue;
    throw new OptimizerError(
      code,
      `${what}: unknown option ${quote(key)}; ${what} knows ${known.join(', ')}.`,
    );
  }
}

/** Whether a value is an object of named fields: no list, map, buffer or the like, whose contents would be overlooked. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return Object.prototype.toString.call(value) === '[object Object]';
  } catch {
    return false;
  }
}
