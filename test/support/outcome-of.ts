import { OptimizerError } from '../../src/errors.js';

/** The value that a promise has, or the code of the one error that it may reject with. */
export async function outcomeOf<T>(promise: Promise<T>): Promise<{ value: T } | { code: string }> {
  try {
    return { value: await promise };
  } catch (error) {
    if (error instanceof OptimizerError) return { code: error.code };
    throw error;
  }
}
