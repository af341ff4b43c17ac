import { OptimizerError } from '../../errors.js';

/** Bytes of the length of the header, which are the first of a file; a multiple of them follows. */
export const PREFIX_BYTE_LENGTH = 8;
/** The most bytes of a header, as in the reference implementation. */
export const MAX_HEADER_BYTE_LENGTH = 100_000_000;

/** Throws what is said of a file, or of what is to become one. */
export function refuse(message: string, cause?: unknown): never {
  throw new OptimizerError('invalid-safetensors', message, cause === undefined ? {} : { cause });
}
