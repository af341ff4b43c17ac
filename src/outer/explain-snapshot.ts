import { OptimizerError } from '../errors.js';

/** Errors of what is wrong with a snapshot, and not with the device. */
const OF_FILES: readonly string[] = ['invalid-safetensors', 'invalid-checkpoint', 'invalid-state-dict'];

/** Loads a snapshot; what is wrong with it is said in the words of who gave it. @throws OptimizerError as `load`. */
export async function explainSnapshot<T>(call: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof OptimizerError) || !OF_FILES.includes(error.code)) throw error;
    const why = `${call}: it is no snapshot of a peer with the same parameters and outer rule, or is not whole: ${error.message}`;
    throw new OptimizerError(error.code, why, { cause: error });
  }
}
