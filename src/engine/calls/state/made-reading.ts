import type { OptimizerError } from '../../../errors.js';
import type { Refusal } from '../../../gpu/refusal.js';

/**
 * Awaits a reading of what was made for it, and what the device has to say of the making.
 *
 * @param making an error that making it met, if any.
 * @param unmade the error for whoever reads then.
 */
export async function madeReading<T>(
  bytes: Promise<T>,
  making: Promise<Refusal | undefined>,
  unmade: (refusal: Refusal) => OptimizerError,
): Promise<T> {
  const [made, read] = await Promise.allSettled([making, bytes]);
  if (made.status === 'rejected') throw made.reason;
  if (made.value) throw unmade(made.value);
  if (read.status === 'rejected') throw read.reason;
  return read.value;
}
