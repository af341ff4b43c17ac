/** What of the adapters' options does not compile, and what must. `npm run typecheck` is the test. */
import type { Array as JaxArray } from '@jax-js/jax';
import * as tf from '@tensorflow/tfjs-core';
import { applyUpdates, fusedOptimizer, fusedTransformation } from '../../src/adapters/jax/index.js';
import { type OnnxModel, type OnnxRuntime, OnnxTrainer } from '../../src/adapters/onnxruntime/index.js';
import { FusedOptimizer } from '../../src/adapters/tfjs/index.js';
import { type Rule, adam } from '../../src/index.js';

declare const tree: { readonly w: JaxArray };
declare const ort: OnnxRuntime;
declare const model: OnnxModel;
declare const someRule: Rule;
const rule = adam();
const parameters = { w: new Float32Array(1) };

/** Never called: only its types count. */
export async function jax(): Promise<void> {
  // @ts-expect-error -- a misspelt option
  await fusedOptimizer(rule, tree, { groups: [{ params: ['w'], wieghtDecay: 0 }] });
  // @ts-expect-error -- no number
  await fusedOptimizer(rule, tree, { groups: [{ match: /w/, lr: '0.1' }] });
  // @ts-expect-error -- a group of what?
  await fusedOptimizer(rule, tree, { groups: [{ lr: 0.1 }] });
  const optimizer = await fusedOptimizer(rule, tree, { groups: [{ params: ['w'], match: /b/, lr: 0.1 }] });
  // @ts-expect-error -- a misspelt slot
  await optimizer.readState('w', 'exp_avgs');
  await optimizer.readState('w', 'exp_avg');
  // @ts-expect-error -- a misspelt option
  fusedTransformation(rule, { groups: [{ params: ['w'], wieghtDecay: 0 }] });
  const solver = fusedTransformation(rule, { maxGradNorm: 1 });
  let state = solver.init(tree);
  const [updates, next] = solver.update(tree, state, tree);
  state = next;
  // @ts-expect-error -- a misspelt slot
  await state.readState('w', 'exp_avgs');
  const updated: typeof tree = applyUpdates(tree, updates);
  applyUpdates(updated, tree);
  // @ts-expect-error -- a tree of another form
  applyUpdates(tree, { v: tree.w });
  const other = {
    init: (params: typeof tree) => ({ count: 0, params }),
    update: (grads: typeof tree, given: { count: number }): [typeof tree, { count: number }] => [
      grads,
      given,
    ],
  };
  const either: typeof other = solver.orElse(other);
  either.update(tree, either.init(tree));
  // @ts-expect-error -- no transformation
  solver.orElse({ init: () => null });
  await fusedOptimizer<typeof tree>(someRule, tree, { groups: [{ match: /b/, anything: 0.1 }] });
}

/** Never called: only its types count. */
export async function onnxruntime(): Promise<void> {
  const groups = [{ params: ['w'], lr: 0.1 }, { parameters: ['b'] }, { match: /c/ }];
  // @ts-expect-error -- a misspelt option
  await OnnxTrainer.create(ort, model, { rule, parameters, groups: [{ params: ['w'], wieghtDecay: 0 }] });
  // @ts-expect-error -- an option of another rule
  await OnnxTrainer.create(ort, model, { rule, parameters, groups: [{ parameters: ['w'], momentum: 0 }] });
  const trainer = await OnnxTrainer.create(ort, model, { rule, parameters, groups });
  // @ts-expect-error -- a misspelt slot
  await trainer.optimizer.readState('w', 'exp_avgs');
  const plain: OnnxTrainer = trainer;
  await plain.optimizer.readState('w', 'whatever');
}

/** Never called: only its types count. */
export function tfjs(): void {
  // @ts-expect-error -- a misspelt option
  void new FusedOptimizer(rule, { groups: [{ match: /bias$/, wieghtDecay: 0 }] });
  // @ts-expect-error -- no number
  void new FusedOptimizer(rule, { groups: [{ match: /bias$/, weightDecay: '0' }] });
  const optimizer = new FusedOptimizer(rule, {
    groups: [{ match: /bias$/, weightDecay: 0 }],
    maxGradNorm: 1,
  });
  // @ts-expect-error -- a misspelt slot
  void optimizer.engine?.readState('w', 'exp_avgs');
  void optimizer.getTrainWeights().then((weights) => tf.train.adam().setWeights(weights));
  optimizer.setLearningRate((step) => 0.1 / (step + 1));
  // @ts-expect-error -- no number
  optimizer.setLearningRate('0.1');
  const either: typeof optimizer | tf.AdamOptimizer = optimizer.orElse(tf.train.adam());
  either.minimize(() => tf.scalar(1));
  // @ts-expect-error -- no optimizer
  optimizer.orElse(adam());
  const plain: FusedOptimizer = optimizer;
  void plain.engine?.readState('w', 'whatever');
}
