/** Independent sums of four that an invocation of the ceiling goes on with: which number is the fastest is the adapter's. */
export const CHAINS = [4, 8, 16] as const;

/** Who works on the matrices: this library a whole step of muon, the others the products of its iterations alone. */
export type MatrixContestant =
  | { readonly kind: 'muon' | 'naive' | 'tfjs' | 'jax' }
  | { readonly kind: 'ceiling'; readonly chains: (typeof CHAINS)[number] };

/** Matrices of one shape. */
export interface MatrixStack {
  readonly rows: number;
  readonly columns: number;
  readonly count: number;
}

export interface MatrixRequest {
  readonly contestant: MatrixContestant;
  readonly stacks: readonly MatrixStack[];
  readonly iterations: number;
}

/** Multiplications with their additions that the iterations take of all matrices, where XXᵀ and A² are made by half. */
export function multiplyAdds({ stacks, iterations }: Pick<MatrixRequest, 'stacks' | 'iterations'>): number {
  return stacks.reduce((sum, { rows, columns, count }) => {
    const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
    const half = (short * (short + 1)) / 2;
    return sum + count * iterations * (half * (long + short) + short * short * long);
  }, 0);
}
