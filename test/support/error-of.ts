import { OptimizerError } from '../../src/errors.js';

/** The error that a call throws or rejects with. */
export async function errorOf(call: () => unknown): Promise<OptimizerError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof OptimizerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
