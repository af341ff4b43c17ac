/** A step that leaves tensors out, next to optimizers that were never asked for it. */
import { inject } from 'vitest';
import { type OptimizerSettings, rules } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn, isTurn } from '../support/draw.js';
import { LAYOUTS, checkLeftOut, drawSkips } from '../support/left-out.js';

/** Rules whose steps depend on their number, or whose state is of whole tensors, with the slots that they keep. */
const COUNTING = {
  adam: ['exp_avg', 'exp_avg_sq'],
  nadam: ['exp_avg', 'exp_avg_sq'],
  radam: ['exp_avg', 'exp_avg_sq'],
  lamb: ['exp_avg', 'exp_avg_sq'],
  novograd: ['exp_avg', 'exp_avg_sq'],
  scheduleFreeAdamw: ['z_offset', 'exp_avg_sq'],
} as const;

/** What else a step may do, by the slots that it adds. None of these clips: a tensor alone has another norm. */
const CONFIGS: readonly (readonly [OptimizerSettings, readonly string[]])[] = [
  [{}, []],
  [{ maxGradNorm: 1e30 }, []],
  [{ skipNonFinite: true }, []],
  [{ ema: { decay: 0.75 } }, ['ema']],
  [{ ema: { decay: 0.9, warmup: true, startStep: 2 }, skipNonFinite: true }, ['ema']],
  [{ ema: { decay: 0.9, init: 'first-update', startStep: 1 } }, ['ema']],
  [{ swa: { start: 2, period: 2 } }, ['swa']],
  [{ lookahead: { every: 2, alpha: 0.5 } }, ['slow']],
  [{ lookahead: { every: 3, alpha: 0.5 }, maxGradNorm: 1e30, skipNonFinite: true }, ['slow']],
];

const LENGTHS = [5, 66, 3, 130, 1];

for (const [l, layout] of LAYOUTS.entries()) {
  for (const [k, [name, slots]] of Object.entries(COUNTING).entries()) {
    // Every layout has its turn in each run, and every rule in two of them.
    if (!isTurn(k + l, 2 * LAYOUTS.length)) continue;
    gpuTest(`${name} counts the steps of each tensor by itself (${layout})`, async ({ device, track }) => {
      const random = new Random(inject('seed'));
      const rule = rules[name as keyof typeof COUNTING]({ lr: 0.01 });
      const configs = [CONFIGS[0]!, CONFIGS[1 + random.integer(2)]!, random.pick(CONFIGS.slice(3))];
      for (const [config, more] of configs) {
        const skips = drawSkips(random, 8, LENGTHS.length);
        const run = { device, track, random, rule, config, layout, lengths: LENGTHS, skips };
        await checkLeftOut({ ...run, slots: [...slots, ...more] });
      }
    });
  }

  if (!isTurn(l, LAYOUTS.length)) continue;
  gpuTest(`every average waits for a tensor that is left out (${layout})`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    for (const [config, slots] of CONFIGS.slice(3)) {
      // Left out of the first steps, before averages begin, and of some in the midst of them.
      const skips = [[0, 1], [1], [1, 3], ...drawSkips(random, 6, LENGTHS.length)];
      const rule = rules.sgd({ lr: 0.5 });
      await checkLeftOut({ device, track, random, rule, config, layout, lengths: LENGTHS, skips, slots });
    }
  });
}

gpuTest('every rule leaves out exactly what it is told to', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  for (const [, factory] of drawn([...ruleFactories], 5)) {
    const skips = [[1], [], [0, 2], [0, 1, 2, 3, 4], ...drawSkips(random, 2, LENGTHS.length)];
    const layout = random.pick(LAYOUTS);
    const config = { skipNonFinite: random.uniform() < 0.5 };
    const run = { device, track, random, rule: factory({}), config, layout, lengths: LENGTHS, skips };
    await checkLeftOut({ ...run, slots: [] });
  }
});

gpuTest(
  'two batches, each left out in part, and tensors of several dispatches',
  async ({ device, track }) => {
    const random = new Random(inject('seed'));
    // More tensors than two dispatches bind, with long ones between.
    const lengths = Array.from({ length: 23 }, (_, k) => (k % 7 === 3 ? 70_001 : 1 + ((k * 37) % 200)));
    const configs = [{}, { maxGradNorm: 1e30, skipNonFinite: true }];
    const runs = LAYOUTS.flatMap((layout) => configs.map((config) => ({ layout, config })));
    for (const one of drawn(runs, runs.length)) {
      const skips = [[0, 9, 10, 22], [1, 8, 9, 17, 20], ...drawSkips(random, 3, lengths.length)];
      const run = { device, track, random, rule: rules.adam(), lengths, skips };
      await checkLeftOut({ ...run, ...one, slots: ['exp_avg', 'exp_avg_sq'] });
    }
  },
);
