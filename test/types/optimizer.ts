/** What of an optimizer's config and calls does not compile, and what must. `npm run typecheck` is the test. */
import {
  Optimizer,
  type OptimizerConfig,
  type Parameter,
  type ParameterArena,
  type ParameterGroupConfig,
  ReferenceOptimizer,
  type Rule,
  adafactor,
  adagrad,
  adam,
  muon,
  rules,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';

declare const device: GPUDevice;
declare const params: readonly Parameter[];
declare const arena: ParameterArena;
declare const someRule: Rule;
const data = new Float32Array(1);
const rule = adam();

/** Never called: only its types count. */
export async function configs(): Promise<void> {
  // @ts-expect-error -- a misspelt option
  await Optimizer.create(device, { rule, groups: [{ params, wieghtDecay: 0 }] });
  // @ts-expect-error -- no number
  await Optimizer.create(device, { rule, groups: [{ params, lr: '0.1' }] });
  // @ts-expect-error -- an option of another rule
  await Optimizer.create(device, { rule, groups: [{ params, momentum: 0.9 }] });
  // @ts-expect-error -- a mode that only rules with decay in the update have
  await Optimizer.create(device, { rule, groups: [{ params, weightDecayMode: 'update' }] });
  // @ts-expect-error -- of several groups, one is wrong
  await Optimizer.create(device, { rule, groups: [{ params }, { params, beta: [0.9, 0.99] }] });
  // @ts-expect-error -- a group without parameters
  await Optimizer.create(device, { rule, groups: [{ lr: 0.1 }] });
  // @ts-expect-error -- neither params nor groups
  await Optimizer.create(device, { rule });
  // @ts-expect-error -- both
  await Optimizer.create(device, { rule, params, groups: [{ params }] });
  // @ts-expect-error -- no rule
  await Optimizer.create(device, { params });
  // @ts-expect-error -- a rule's function
  await Optimizer.create(device, { rule: adam, params });
  // @ts-expect-error -- an unknown setting
  await Optimizer.create(device, { rule, params, maxGradNrom: 1 });
  // @ts-expect-error -- without waiting, too
  Optimizer.createSync(device, { rule, groups: [{ params, wieghtDecay: 0 }] });
  // @ts-expect-error -- nor where the rule is not known, but its options have the common ones
  await Optimizer.create(device, { rule: someRule, groups: [{ params, lr: '0.1' }] });
  // @ts-expect-error -- on the CPU
  void new ReferenceOptimizer({ rule, groups: [{ params: [{ data }], wieghtDecay: 0 }] });

  const groups = [{ params, lr: 0.1, weightDecay: undefined }, { params }];
  await Optimizer.create(device, { rule, groups });
  await Optimizer.create(device, { rule, groups: [{ params, betas: [0.5, 0.9], lr: (step) => 1 / step }] });
  await Optimizer.create(device, { rule: someRule, groups: [{ params, anything: 3 }], maxGradNorm: 1 });
  await Optimizer.create(device, { rule: rules.lion(), groups: [{ params, cautious: true }] });
  await Optimizer.create(device, { rule: params.length > 1 ? adam() : sgd(), params });
  const config: OptimizerConfig = { rule, params };
  const plain: Optimizer = await Optimizer.create(device, config);
  await plain.addGroup({ params, momentum: 0.5 });
}

/** Never called: only its types count. */
export async function schedules(): Promise<void> {
  const schedule = (step: number): number => 1 / step;
  adafactor({ d: schedule, beta2Decay: schedule, eps: [1e-30, 1e-3] });
  muon({ momentum: schedule, weightDecay: schedule, nsCoefficients: [2, -1.5, 0.5], eps: 1e-8 });
  muon({ nsCoefficients: [[2, -1.5, 0.5]] });
  adam({ betas: [schedule, 0.99], eps: schedule });
  // @ts-expect-error -- a pair that does not move
  adafactor({ eps: [schedule, 1e-3] });
  // @ts-expect-error -- nor does a triple
  muon({ nsCoefficients: [schedule, -1.5, 0.5] });
  // @ts-expect-error -- of no group, either
  await Optimizer.create(device, { rule: muon(), groups: [{ params, nsSteps: schedule }] });
  // @ts-expect-error -- a number that there is no row for
  muon({ eps: schedule });
  // @ts-expect-error -- how state begins
  adagrad({ initialAccumulator: schedule });
  // @ts-expect-error -- an integer
  scheduleFreeSgd({ warmupSteps: schedule });
}

/** Never called: only its types count. */
export async function arenas(): Promise<void> {
  // @ts-expect-error -- a misspelt option
  await Optimizer.create(device, { rule, groups: arena.groups({ decay: { wieghtDecay: 0.1 } }) });
  // @ts-expect-error -- of one group of two
  await Optimizer.create(device, { rule, groups: arena.groups({ a: { lr: 1 }, b: { momentum: 1 } }) });
  // @ts-expect-error -- no number
  arena.groups({ decay: { lr: '0.1' } });
  // @ts-expect-error -- nor for this rule
  await Optimizer.create(device, { rule, groups: arena.groups({ decay: { betas: [0.9] } }) });

  await Optimizer.create(device, { rule, groups: arena.groups() });
  await Optimizer.create(device, { rule: someRule, groups: arena.groups({ a: { any: 1 } }) });
  const groups = arena.groups({ a: { weightDecay: 0.1 }, b: { betas: [0.5, 0.9], amsgrad: true } });
  await Optimizer.create(device, { rule, groups });
}

/** Never called: only its types count. */
export async function calls(): Promise<void> {
  const optimizer = await Optimizer.create(device, { rule, params });
  const sync = Optimizer.createSync(device, { rule: sgd(), params });
  // @ts-expect-error -- a misspelt slot
  await optimizer.readState('w', 'exp_avgs');
  // @ts-expect-error -- a slot of another rule
  await sync.readState('w', 'exp_avg');
  // @ts-expect-error -- a misspelt option
  await optimizer.addGroup({ params, wieghtDecay: 0 });
  // @ts-expect-error -- an option of another rule
  sync.addGroupSync({ params, betas: [0.9, 0.99] });
  // @ts-expect-error -- on the CPU
  new ReferenceOptimizer({ rule, params: [{ data }] }).readState('w', 'exp_avgs');

  for (const slot of ['exp_avg', 'max_exp_avg_sq', 'step', 'ema', 'swa', 'slow'] as const) {
    await optimizer.readState('w', slot);
  }
  const group: ParameterGroupConfig<typeof rule> = { params, amsgrad: true };
  await optimizer.addGroup(group);
  const plain: Optimizer[] = [optimizer, sync];
  for (const one of plain) await one.readState('w', 'whatever');
}
