import { integerFrom } from '../../scripts/terminal/command-line.js';
import { matrixRules } from '../../src/index.js';
import { ruleNames } from '../arguments.js';
import type { Suite } from '../suite.js';

/** An optimizer that is made, stepped once and destroyed. */
export interface FirstStepRequest {
  /** Absent: there is no optimizer, only what surrounds it. */
  readonly rule?: string;
  readonly elementCount: number;
  /** Whether it has a new device, or one on which the same was made before. */
  readonly isCold: boolean;
}

interface Given {
  readonly elements: number;
}

/** What one waits for before training begins, with each rule: `create`, a step, the GPU. */
export const firstStep: Suite<FirstStepRequest, Given> = {
  description: 'from create to the result of the first step, on a new device (cold) and again (warm)',
  rounds: 9,
  // One at a time: most of them are longer.
  minMeasurementMs: 1,
  addOptions: (command) =>
    void command.option(
      '--elements <n>',
      'elements of the tensor, a matrix of as many columns as rows',
      integerFrom(1),
      4096,
    ),
  heats: ({ elements }) => [
    {
      case: `${elements} elements`,
      contestants: {
        'a new device': { elementCount: elements, isCold: true },
        ...Object.fromEntries(
          [...ruleNames, ...Object.keys(matrixRules)].flatMap((rule) =>
            [true, false].map((isCold) => [
              `${rule}, ${isCold ? 'cold' : 'warm'}`,
              { rule, elementCount: elements, isCold },
            ]),
          ),
        ),
      },
      baselines: ['a new device'],
    },
  ],
};
