import type { NumericsRow } from '../../proof/numerics.js';
import type { ParityRow } from '../../proof/measure-parity.js';

/** What is downloaded. */
export interface ProofReport {
  readonly adapter: string;
  readonly browser: string;
  readonly date: string;
  readonly seed: number;
  /** All weights, gradients and state; the only type so far. */
  readonly dtype: 'f32';
  /** Whether each option was run only by itself, for a few steps. */
  readonly quick: boolean;
  readonly parity: readonly ParityRow[];
  readonly arithmetic: readonly NumericsRow[];
}

/** What the figures at the top say. */
export interface ProofTotals {
  readonly passed: number;
  readonly failed: number;
  readonly sameBits: number;
  readonly maxOfBound: number;
}

/** Sums over rules. */
export function totalsOf(rows: readonly ParityRow[]): ProofTotals {
  const sum = (of: (row: ParityRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const failed = sum((row) => row.failed);
  return {
    passed: sum((row) => row.cases) - failed,
    failed,
    sameBits: sum((row) => row.sameBits),
    maxOfBound: Math.max(0, ...rows.map((row) => row.maxOfBound)),
  };
}

export const PARITY_HEADINGS = [
  'rule',
  'dtype',
  'runs',
  'passed',
  'same bits',
  'max ULP',
  'of the bound',
  'result',
];

/** The cells of a rule's line. */
export function parityCells({ rule, cases, failed, sameBits, maxUlp, maxOfBound }: ParityRow): string[] {
  return [
    rule,
    'f32',
    String(cases),
    String(cases - failed),
    String(sameBits),
    maxUlp < 1000 ? maxUlp.toPrecision(3) : Math.round(maxUlp).toString(),
    `${(100 * maxOfBound).toFixed(0)} %`,
    failed === 0 ? 'pass' : 'FAIL',
  ];
}

/** The table for spreadsheets; no cell holds a comma or a quote. */
export function toCsv({ parity }: ProofReport): string {
  return [PARITY_HEADINGS, ...parity.map(parityCells)].map((cells) => `${cells.join(',')}\n`).join('');
}
