import { createOption } from 'commander';
import type { DType, MasterWeights, StateDtype } from '../../src/index.js';
import { integerFrom } from '../../scripts/terminal/command-line.js';
import { ruleNames } from '../arguments.js';
import type { Suite } from '../suite.js';

/** One optimizer over one tensor, whose weights, gradient and state are kept so. */
export interface DtypesRequest {
  readonly rule: string;
  readonly elementCount: number;
  /** Of weights and gradient. */
  readonly dtype: DType;
  readonly settings: {
    readonly stateDtype?: StateDtype;
    readonly stochasticRounding?: true;
    readonly seed?: number;
    readonly masterWeights?: MasterWeights;
  };
}

interface Given {
  readonly elements: number;
  readonly rule: string;
}

/** What fewer bits cost in arithmetic, or gain in bytes that need not move. */
export const dtypes: Suite<DtypesRequest, Given> = {
  description: 'weights, gradients and state of fewer bits against float32',
  rounds: 15,
  minMeasurementMs: 200,
  addOptions: (command) =>
    void command
      .option('--elements <n>', 'elements of the tensor', integerFrom(1), 1_000_000)
      .addOption(createOption('--rule <name>', 'which rule').choices(ruleNames).default('adam')),
  heats: ({ elements, rule }) => {
    const whole = { rule, elementCount: elements, dtype: 'f32', settings: {} } as const;
    const halves = { ...whole, dtype: 'bf16' } as const;
    return [
      {
        case: `${elements} elements`,
        contestants: {
          f32: whole,
          'bf16 state': { ...whole, settings: { stateDtype: 'bf16' } },
          'int8 state': { ...whole, settings: { stateDtype: 'int8' } },
          'int4 state': { ...whole, settings: { stateDtype: 'int4' } },
          'f16 weights and gradient': { ...whole, dtype: 'f16' },
          'bf16 weights and gradient': halves,
          '… rounded by chance': { ...halves, settings: { stochasticRounding: true, seed: 1 } },
          '… with f32 masters': { ...halves, settings: { masterWeights: 'f32' } },
          '… with split masters': { ...halves, settings: { masterWeights: 'split' } },
          '… and int8 state': { ...halves, settings: { masterWeights: 'split', stateDtype: 'int8' } },
        },
        baselines: ['f32'],
      },
    ];
  },
};
