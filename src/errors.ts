/**
 * What kind of thing went wrong; stable, for programs. The message is for people.
 *
 * - `invalid-option`: a rule option is unknown, of the wrong type or out of range.
 * - `invalid-config`: a field of the config is unknown, missing or contradictory.
 * - `invalid-parameter`: a parameter's buffers cannot be used as given.
 * - `invalid-state-dict`: a state dict does not fit this optimizer.
 * - `limit-exceeded`: the device's limits do not allow what was asked.
 * - `out-of-memory`: the device could not allocate optimizer state.
 * - `destroyed`: the optimizer was used after `destroy()`.
 * - `device-lost`: the device is lost; nothing can run on it again.
 * - `shader`: a kernel did not compile, which is a bug of this library or of the WebGPU implementation.
 */
export type OptimizerErrorCode =
  | 'invalid-option'
  | 'invalid-config'
  | 'invalid-parameter'
  | 'invalid-state-dict'
  | 'limit-exceeded'
  | 'out-of-memory'
  | 'destroyed'
  | 'device-lost'
  | 'shader';

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
}

/** Renders any value for an error message: short, unambiguous, never throwing. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (Object.is(value, -0)) return '-0';
  if (Array.isArray(value))
    return `[${value.slice(0, 8).map(quote).join(', ')}${value.length > 8 ? ', …' : ''}]`;
  if (typeof value === 'object' && value !== null) {
    const name = value.constructor?.name ?? 'Object';
    return name === 'Object' ? `{ ${Object.keys(value).slice(0, 8).join(', ')} }` : `a ${name}`;
  }
  return String(value);
}

/** Throws unless every key of `given` is one of `known`; the error lists the known ones. */
export function rejectUnknownKeys(
  given: object,
  known: readonly string[],
  what: string,
  code: OptimizerErrorCode,
): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    throw new OptimizerError(
      code,
      `${what}: unknown option ${quote(key)}; ${what} knows ${known.join(', ')}.`,
    );
  }
}
