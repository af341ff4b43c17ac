import { OptimizerError } from '../errors.js';

/** An error of what lies between peers: membership, rounds and the transport. */
export function fleetError(message: string, cause?: unknown): OptimizerError {
  return new OptimizerError('fleet', message, cause === undefined ? undefined : { cause });
}
