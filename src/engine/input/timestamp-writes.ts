import { OptimizerError, isRecord, quote } from '../../errors.js';

const INDICES = ['beginningOfPassWriteIndex', 'endOfPassWriteIndex'] as const;

/**
 * Checks where the times of a pass are to be written to: the device would drop the whole step for what is wrong in it.
 *
 * @param call the call, for errors: `'step()'`.
 * @throws OptimizerError `limit-exceeded` if the device has no time stamps, `invalid-config` for anything else.
 */
export function checkTimestampWrites(
  given: unknown,
  { features }: Pick<GPUDevice, 'features'>,
  call: string,
): GPUComputePassTimestampWrites | undefined {
  if (given === undefined) return undefined;
  if (!features.has('timestamp-query')) {
    throw new OptimizerError(
      'limit-exceeded',
      `${call}: timestampWrites are given, but the device lacks the feature 'timestamp-query'; request it with ` +
        "requiredFeatures: ['timestamp-query'], or leave them out.",
    );
  }
  const fail = (what: string): never => {
    throw new OptimizerError('invalid-config', `${call}: timestampWrites${what}.`);
  };
  const form = 'give { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex }';
  if (!isRecord(given)) return fail(` is ${quote(given)}; ${form}`);
  const querySet = given['querySet'] as Partial<GPUQuerySet> | undefined;
  const { type, count } = querySet ?? {};
  if (type !== 'timestamp' || typeof count !== 'number') {
    return fail(`: querySet is ${quote(querySet)}; give one that was created with type 'timestamp'`);
  }
  for (const name of INDICES) {
    const index = given[name];
    if (
      index === undefined ||
      (Number.isInteger(index) && (index as number) >= 0 && (index as number) < count)
    )
      continue;
    fail(
      `: ${name} is ${quote(index)}; give an integer from 0 to ${count - 1}, since the query set has ${count}`,
    );
  }
  const [first, last] = INDICES.map((name) => given[name]);
  if (first === last) {
    fail(
      first === undefined
        ? ` have no index to write to; ${form}`
        : `: both indices are ${quote(first)}; give two`,
    );
  }
  return given as unknown as GPUComputePassTimestampWrites;
}

/** The times of a caller's pass are the caller's to ask for. */
export function ownTimestampWrites(): OptimizerError {
  return new OptimizerError(
    'invalid-config',
    'encode(): timestampWrites are given with a compute pass; give them to beginComputePass(), or encode into the command encoder.',
  );
}
