import { matrixRuleFactories } from '../src/rules/matrix-registry.js';
import { type RuleCase, combinedOptionCases, singleOptionCases } from './option-cases.js';
import { type ParityResult, type ParityRun, type TensorLayout, checkParity } from './parity.js';
import { Random } from './random.js';
import type { Track } from './track.js';

const layout = (dataOffset: number, gradOffset: number, ...shape: number[]): TensorLayout => ({
  length: shape.reduce((product, length) => product * length, 1),
  dataOffset,
  gradOffset,
  shape,
});

/**
 * Matrices of each kind: one number, one row, one column, wide and tall, more than a tile, whole tiles, several of one shape; of more
 * than two axes; at any place of data and gradient among the four of a lane.
 */
const ALL_SHAPES: readonly TensorLayout[] = [
  layout(0, 0, 1, 1),
  layout(1, 2, 1, 7),
  layout(3, 0, 9, 1),
  layout(0, 0, 3, 5),
  layout(2, 3, 5, 3),
  layout(0, 1, 3, 5),
  layout(0, 0, 16, 16),
  layout(0, 0, 16, 16),
  layout(3, 3, 4, 2, 3, 3),
  layout(1, 0, 65, 18),
  layout(0, 0, 17, 66),
];

/** What is no matrix, for rules that step it by the rule of others. */
const OTHER_SHAPES: readonly TensorLayout[] = [
  layout(0, 1, 7),
  layout(3, 2, 257),
  { length: 5, dataOffset: 2, gradOffset: 0 },
];

/** More than one tile along each side. */
const LARGE_SHAPES: readonly TensorLayout[] = [
  layout(1, 2, 63, 65),
  layout(0, 0, 64, 64),
  layout(0, 3, 130, 257),
  layout(0, 0, 64, 64),
];

/** How weights, gradients and state lie in memory; averages and clips. */
const KEPT: readonly Partial<ParityRun>[] = [
  { stateDtype: 'bf16', dtype: 'bf16' },
  { dtype: 'bf16', masterWeights: 'split' },
  { stateDtype: 'int8', gradDtype: 'f16' },
  { dtype: 'f16', gradDtype: 'bf16', averages: { lookahead: { every: 3, alpha: 0.5 } } },
  {
    ownBuffers: true,
    averages: { ema: { decay: 0.9 } },
    clip: { maxGradNormPerTensor: 0.3, maxGradValue: 0.1 },
  },
];

/** Which steps leave out which matrices: never the first. */
const isLeftOut = (step: number, tensor: number): boolean => step > 0 && (step + tensor) % 3 === 0;

/** A rule of matrices with some options, to be run against its reference on one device. */
export interface MatrixCase extends RuleCase {
  readonly check: (device: GPUDevice, track: Track, steps?: number) => Promise<ParityResult>;
}

/** Every rule of matrices with its options, against its reference. The seed decides values and combinations. */
export function matrixParitySuite(
  seed: number,
): Readonly<Record<'single' | 'combined' | 'kept' | 'large', readonly MatrixCase[]>> {
  const made = (
    ruleCase: RuleCase,
    index: number,
    layouts: readonly TensorLayout[],
    given: Partial<ParityRun> = {},
  ): MatrixCase => ({
    ...ruleCase,
    check: (device, track, steps = 4) =>
      checkParity({
        device,
        track,
        rule: ruleCase.rule,
        random: new Random(seed + index),
        layouts: ruleCase.rule.others ? [...layouts, ...OTHER_SHAPES] : layouts,
        oneBuffer: index % 2 === 1,
        steps,
        isSkipped: isLeftOut,
        skipNonFinite: index % 3 === 0,
        boundedElements: 0,
        ...given,
      }),
  });
  return {
    single: singleOptionCases(matrixRuleFactories).map((each, index) => made(each, index, ALL_SHAPES)),
    combined: combinedOptionCases(new Random(seed), matrixRuleFactories).map((each, index) =>
      made(each, index, ALL_SHAPES.slice(0, 6)),
    ),
    kept: matrixRuleFactories.flatMap(([name, factory], index) =>
      KEPT.map((kept, k) =>
        made(
          { title: `${name}: ${JSON.stringify(kept)}`, rule: factory() },
          index + k,
          ALL_SHAPES.slice(3, 9),
          {
            oneBuffer: false,
            ...kept,
          },
        ),
      ),
    ),
    // Both forms of the products, whatever the adapter is.
    large: matrixRuleFactories.flatMap(([name, factory], index) =>
      [true, false].map((consecutive) =>
        made(
          { title: `${name}: large, ${consecutive ? 'one by one' : 'in tiles'}`, rule: factory() },
          index,
          LARGE_SHAPES,
          { kernel: { consecutive } },
        ),
      ),
    ),
  };
}
