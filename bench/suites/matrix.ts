import { integerFrom } from '../../scripts/terminal/command-line.js';
import type { Suite } from '../suite.js';
import { CHAINS, type MatrixRequest, type MatrixStack, multiplyAdds } from './matrix-work.js';

interface Given {
  readonly width: number;
  readonly blocks: number;
}

const ITERATIONS = 5;

/** The matrices of GPT-2's blocks: attention in and out, and both layers behind it. GPT-2 small has 12 blocks of width 768. */
function stacksOf({ width, blocks: count }: Given): MatrixStack[] {
  return [
    { rows: width, columns: 3 * width, count },
    { rows: width, columns: width, count },
    { rows: width, columns: 4 * width, count },
    { rows: 4 * width, columns: width, count },
  ];
}

/** Over the ceiling, a time says how many times as long it took as the multiplications alone. */
export const matrix: Suite<MatrixRequest, Given> = {
  description:
    "a step of muon over GPT-2's matrices against others' products, and against multiplications and additions in registers",
  rounds: 9,
  minMeasurementMs: 200,
  addOptions: (command) =>
    void command
      .option('--width <n>', "the model's width; that of GPT-2 small is 768", integerFrom(1), 64)
      .option(
        '--blocks <n>',
        'blocks of the model, with four matrices each; GPT-2 small has 12',
        integerFrom(1),
        2,
      ),
  heats: (given) => {
    const of = { stacks: stacksOf(given), iterations: ITERATIONS };
    const contestants: Record<string, MatrixRequest> = {};
    for (const kind of ['muon', 'naive', 'tfjs', 'jax'] as const)
      contestants[kind] = { contestant: { kind }, ...of };
    for (const chains of CHAINS)
      contestants[`ceiling, ${chains} chains`] = { contestant: { kind: 'ceiling', chains }, ...of };
    return [
      {
        case: `width ${given.width}, ${given.blocks} blocks, ${(multiplyAdds(of) / 1e9).toPrecision(3)}e9 multiply–adds`,
        contestants,
        baselines: Object.keys(contestants).filter((name) => name.startsWith('ceiling')),
      },
    ];
  },
};
