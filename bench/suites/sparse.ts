import { createOption } from 'commander';
import { integerFrom } from '../../scripts/terminal/command-line.js';
import { ruleNames } from '../arguments.js';
import type { Suite } from '../suite.js';

/** One optimizer over one table. */
export interface TableRequest {
  readonly rule: string;
  readonly rowCount: number;
  readonly rowLength: number;
  /** Entries of the sparse gradient, of random rows; absent for a dense gradient. */
  readonly entryCount?: number;
  /** Room for entries, if there is more than they take; the GPU knows how many they are. */
  readonly room?: number;
  /** Rows that a mask lets through of a dense gradient, and whether they lie apart or side by side; absent for no mask. */
  readonly mask?: { readonly rowCount: number; readonly isScattered: boolean };
}

interface Given {
  readonly rows: number;
  readonly rowLength: number;
  readonly named: number;
  readonly rule: string;
}

/** What a sparse step costs follows from the rows that its gradient names, not from the table; a mask's, from both. */
export const sparse: Suite<TableRequest, Given> = {
  description:
    'a few rows of a table, and of one of a tenth the size, named or let through by a mask, against all of it',
  rounds: 15,
  minMeasurementMs: 200,
  addOptions: (command) =>
    void command
      .option('--rows <n>', 'rows of the table', integerFrom(1), 156_250)
      .option('--row-length <n>', 'elements per row', integerFrom(1), 64)
      .option('--named <n>', 'entries of the gradient', integerFrom(1), 1562)
      .addOption(createOption('--rule <name>', 'which rule').choices(ruleNames).default('adam')),
  heats: ({ rows, rowLength, named, rule }) => {
    const dense = { rule, rowCount: rows, rowLength };
    return [
      {
        case: `${rows} rows of ${rowLength}`,
        contestants: {
          dense,
          [`${named} entries`]: { ...dense, entryCount: named },
          [`${named} entries, a tenth of the rows`]: {
            ...dense,
            rowCount: Math.ceil(rows / 10),
            entryCount: named,
          },
          [`${named} entries in room for ten times as many`]: {
            ...dense,
            entryCount: named,
            room: 10 * named,
          },
          'mask of all rows': { ...dense, mask: { rowCount: rows, isScattered: false } },
          [`mask of ${named} rows apart`]: { ...dense, mask: { rowCount: named, isScattered: true } },
          [`mask of ${named} rows side by side`]: { ...dense, mask: { rowCount: named, isScattered: false } },
        },
        baselines: ['dense'],
      },
    ];
  },
};
