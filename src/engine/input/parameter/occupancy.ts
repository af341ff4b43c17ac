import { OptimizerError, quote } from '../../../errors.js';
import type { Piece } from '../../../plan/pieces.js';
import type { ResolvedParameter } from './parameter.js';
import { type ByteRows, bytesOfPiece, doMeet } from './columns.js';

/** Bytes of a buffer that a parameter uses. */
interface Claim extends ByteRows {
  /** Name of the parameter. */
  readonly owner: string;
  readonly role: string;
  /** Weights, and gradients that are accumulated into. */
  readonly isWritten: boolean;
  /** All claims on the buffer; among them there may be some that hold no more. */
  readonly neighbours: Claim[];
  /** Whether it holds; one that does not is forgotten when its buffer is looked at again. */
  holds: boolean;
}

/**
 * Who uses which bytes of the callers' buffers. What is written may share bytes with nothing else; gradients that are only
 * read may share bytes with each other.
 */
export class Occupancy {
  readonly #ofParameter = new Map<string, readonly Claim[]>();
  readonly #ofBuffer = new WeakMap<GPUBuffer, Claim[]>();

  /**
   * Lets parameters use the bytes that they lie in, and no others that parameters of the same names lay in. It costs what
   * there is in the buffers where they come to lie.
   *
   * @returns what takes it back; for a caller that fails at something else afterwards, before anything else is claimed.
   * @throws OptimizerError `invalid-parameter` if bytes would be written that something else uses; nothing changes then.
   */
  claim(parameters: readonly ResolvedParameter[]): () => void {
    const taken: [name: string, before: readonly Claim[], after: Claim[]][] = [];
    const shared = new Set<Claim[]>();
    for (const { name } of parameters) {
      const before = this.#ofParameter.get(name) ?? [];
      for (const claim of before) claim.holds = false;
      taken.push([name, before, []]);
    }
    parameters.forEach((parameter, k) => this.#claimAll(parameter, taken[k]![2], shared));
    const undo = () => {
      for (const [name, before, after] of taken) {
        for (const claim of after) claim.holds = false;
        for (const claim of before) {
          claim.holds = true;
          if (!claim.neighbours.includes(claim)) claim.neighbours.push(claim);
        }
        this.#ofParameter.set(name, before);
      }
    };
    try {
      for (const claims of shared) rejectOverlaps(claims.filter(({ holds }) => holds));
    } catch (error) {
      undo();
      throw error;
    }
    for (const [name, , after] of taken) this.#ofParameter.set(name, after);
    return undo;
  }

  /** Lets go of the bytes of parameters. */
  release(names: Iterable<string>): void {
    for (const name of names) {
      for (const claim of this.#ofParameter.get(name) ?? []) claim.holds = false;
      this.#ofParameter.delete(name);
    }
  }

  #claimAll(
    { name, data, grad, microGrad, mask, sparse }: ResolvedParameter,
    claims: Claim[],
    shared: Set<Claim[]>,
  ): void {
    const add = (piece: Piece<GPUBuffer>, role: string, isWritten: boolean) =>
      claims.push(this.#add(piece, name, role, isWritten, shared));
    for (const piece of data) add(piece, 'data', true);
    for (const piece of grad) add(piece, 'grad', microGrad !== undefined);
    if (microGrad) for (const piece of microGrad) add(piece, 'microGrad', false);
    if (mask) add(mask, 'rowMask', false);
    if (!sparse) return;
    add(sparse.indices, 'grad.indices', false);
    if (sparse.count) add(sparse.count, 'grad.count', false);
  }

  /** @param shared buffers' claims that are to be checked, since there are several. */
  #add(
    piece: Piece<GPUBuffer>,
    owner: string,
    role: string,
    isWritten: boolean,
    shared: Set<Claim[]>,
  ): Claim {
    let neighbours = this.#ofBuffer.get(piece.buffer);
    if (!neighbours) this.#ofBuffer.set(piece.buffer, (neighbours = []));
    const { start, end, rows } = bytesOfPiece(piece);
    const claim = { start, end, rows, owner, role, isWritten, neighbours, holds: true };
    if (neighbours.some(({ holds }) => holds)) {
      neighbours.push(claim);
      shared.add(neighbours);
    } else {
      neighbours[0] = claim;
      neighbours.length = 1;
    }
    return claim;
  }
}

function rejectOverlaps(claims: Claim[]): void {
  claims.sort((a, b) => a.start - b.start);
  // Of all that began earlier, the ones that reach furthest decide; what is read matters to what is written only.
  let furthest: Claim | undefined;
  let furthestWritten: Claim | undefined;
  // Rows that lie apart leave room for others between them, so that all that reach so far are looked at.
  let apart: Claim[] = [];
  for (const claim of claims) {
    const other = claim.isWritten ? furthest : furthestWritten;
    if (other && other.end > claim.start) failOverlap(claim, other);
    apart = apart.filter(({ end }) => end > claim.start);
    const met = apart.find((one) => (one.isWritten || claim.isWritten) && doMeet(one, claim));
    if (met) failOverlap(claim, met);
    if (claim.rows) {
      apart.push(claim);
      continue;
    }
    if (!furthest || claim.end > furthest.end) furthest = claim;
    if (claim.isWritten && (!furthestWritten || claim.end > furthestWritten.end)) furthestWritten = claim;
  }
}

function failOverlap(claim: Claim, other: Claim): never {
  const describe = ({ role, owner, start, end, rows }: Claim) =>
    `${role} of parameter ${quote(owner)} (bytes ${start} to ${end}${
      rows ? `, ${rows.byteLength} of every ${rows.byteStride}` : ''
    })`;
  const areSame = claim.start === other.start && claim.end === other.end;
  const areTied = areSame && claim.role === 'data' && other.role === 'data' && claim.owner !== other.owner;
  throw new OptimizerError(
    'invalid-parameter',
    areTied
      ? `${describe(claim)} and ${describe(other)} are the same bytes, as tied weights are; name it once and sum the ` +
          'gradients.'
      : `${describe(claim)} overlaps ${describe(other)} in one buffer; give each its own bytes.`,
  );
}
