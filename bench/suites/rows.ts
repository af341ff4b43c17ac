import { createOption } from 'commander';
import { integerFrom } from '../../scripts/terminal/command-line.js';
import { ruleNames } from '../arguments.js';
import type { Suite } from '../suite.js';

/** What is done with the rows of some tensors, weights and state. */
export interface RowsRequest {
  readonly rule: string;
  readonly rowCount: number;
  /** Elements per row of each tensor. */
  readonly rowLengths: readonly number[];
  /**
   * Whether all is copied once, as it is: by a kernel, or by WebGPU's command into buffers that are there, or into fresh ones of
   * which only the weights' are there; or rows are mapped.
   */
  readonly does: 'copy kernel' | 'copy command' | 'copy to fresh buffers' | 'map';
  /** Some rows are pruned and others doubled, in their order; or all change places. */
  readonly order: 'densify' | 'shuffle';
  /** Whether the map lies on the GPU, and the weights come to lie in other buffers. */
  readonly isOnGpu: boolean;
  readonly isElsewhere: boolean;
}

interface Given {
  readonly rows: number;
  readonly rule: string;
}

/** A Gaussian: position, scale, rotation, opacity, colour as spherical harmonics of degree 3. */
const SPLAT = [3, 3, 4, 1, 48];

/** What `mapRows` costs against copies of the bytes that it moves. Its state comes to lie in fresh buffers. */
export const rows: Suite<RowsRequest, Given> = {
  description: 'rows that are pruned, doubled and permuted, against a copy of the same bytes',
  rounds: 5,
  minMeasurementMs: 100,
  addOptions: (command) =>
    void command
      .option('--rows <n>', 'Gaussians of 59 numbers each', integerFrom(1), 1_000_000)
      .addOption(createOption('--rule <name>', 'which rule').choices(ruleNames).default('adam')),
  heats: ({ rows: rowCount, rule }) =>
    (['densify', 'shuffle'] as const).map((order) => {
      const map = { rule, rowCount, rowLengths: SPLAT, does: 'map', order } as const;
      return {
        case: `${order} ${rowCount} rows of ${SPLAT.join('+')}`,
        contestants: {
          'copy kernel': { ...map, does: 'copy kernel', isOnGpu: false, isElsewhere: true },
          'copy to fresh buffers': {
            ...map,
            does: 'copy to fresh buffers',
            isOnGpu: false,
            isElsewhere: true,
          },
          'copy command': { ...map, does: 'copy command', isOnGpu: false, isElsewhere: true },
          'elsewhere, map on the GPU': { ...map, isOnGpu: true, isElsewhere: true },
          'elsewhere, map on the CPU': { ...map, isOnGpu: false, isElsewhere: true },
          'in place, map on the GPU': { ...map, isOnGpu: true, isElsewhere: false },
        },
        baselines: ['copy to fresh buffers'],
      };
    }),
};
