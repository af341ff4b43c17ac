import { quote } from '../../errors.js';
import type { MatrixCandidate } from './matrix.js';

const REMEDY =
  'or let it go by the rule of others: muon({ others: adamw() }) takes what is no matrix, and groups with others: true.';

/** What of a parameter no rule of matrices can step. */
export function matrixComplaint(
  rule: string,
  { shape, sparse, mask, isMapped }: MatrixCandidate,
): string | undefined {
  if (isMapped)
    return `is a matrix that ${rule} steps as a whole; step what is mapped by another rule, ${REMEDY}`;
  if (sparse) return `has a sparse gradient, and ${rule} steps whole matrices; give a dense one, ${REMEDY}`;
  if (mask) return `has a rowMask, and ${rule} steps whole matrices; leave it out, ${REMEDY}`;
  if (!shape) return `has no shape, and ${rule} steps matrices; give shape: [rows, columns], ${REMEDY}`;
  if (shape.length >= 2) return undefined;
  return `has the shape ${quote(shape)}, and ${rule} steps matrices; give two or more axes, ${REMEDY}`;
}
