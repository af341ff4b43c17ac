import * as tf from '@tensorflow/tfjs-core';
import { expect, inject, test } from 'vitest';
import { ReferenceOptimizer, type Rule, conventions, rules } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import { drawn } from '../support/draw.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';

const fixture = useTfjs();
const { make, variable } = fixture;
const STEPS = 3;

/** A layer, a bias and an output, and a loss over them. Whole vec4s, so that each rule is compiled but once. */
function makeModel(random: Random): { variables: tf.Variable[]; loss: () => tf.Scalar } {
  const inputs = tf.tensor2d(random.weights(8 * 5), [8, 5]);
  const targets = tf.tensor2d(random.weights(8 * 4), [8, 4]);
  const [hidden, bias, output] = [
    variable(random.weights(5 * 8), [5, 8]),
    variable(random.weights(8)),
    variable(random.weights(8 * 4), [8, 4]),
  ] as const;
  const loss = (): tf.Scalar => {
    const activations = tf.tanh(tf.add(tf.matMul(inputs, hidden), bias));
    return tf.mean(tf.squaredDifference(tf.matMul(activations, output), targets));
  };
  return { variables: [hidden, bias, output], loss };
}

for (const [name, factory] of drawn(ruleFactories, 2)) {
  test(`${name} on gradients of tfjs is the reference`, async () => {
    const rule = factory({});
    const { variables, loss } = makeModel(new Random(inject('seed')));
    const weights = await Promise.all(variables.map(valuesOf));
    const exact = isSwiftShader(fixture.session.device);
    const bounded = exact ? [] : weights.map((values) => new BoundedRun(rule, values));
    const params = variables.map((v, k) => ({ name: v.name, data: weights[k]! }));
    const reference = new ReferenceOptimizer({ rule, precision: 'f32', params });
    const optimizer = make(rule);
    for (let step = 0; step < STEPS; step++) {
      const { value, grads } = optimizer.computeGradients(loss);
      const gradients = await Promise.all(variables.map((v) => valuesOf(grads[v.name]!)));
      optimizer.applyGradients(grads);
      tf.dispose([value, grads]);
      reference.step(gradients);
      bounded.forEach((run, k) => run.step(gradients[k]!));
    }
    for (const [k, v] of variables.entries()) {
      const got = await valuesOf(v);
      if (exact) expect(bitDifference(got, weights[k]!), v.name).toBeUndefined();
      else checkWithinBound(got, bounded[k]!.weights, v.name);
    }
    expect(optimizer.iterations).toBe(STEPS);
  });
}

/** What it takes to compare a rule with tfjs's own. */
interface Counterpart {
  readonly rule: Rule;
  readonly theirs: () => tf.Optimizer;
  /** Decay rates whose bias corrections tfjs computes in float32, with the power of the correction in the update. */
  readonly corrections?: readonly (readonly [beta: number, power: number])[];
}

const LR = 0.01;
const COUNTERPARTS: Record<string, Counterpart> = {
  sgd: { rule: rules.sgd({ ...conventions.tfjs.sgd, lr: LR }), theirs: () => tf.train.sgd(LR) },
  momentum: {
    rule: rules.momentum({ ...conventions.tfjs.momentum, lr: LR, momentum: 0.9 }),
    theirs: () => tf.train.momentum(LR, 0.9),
  },
  adagrad: {
    rule: rules.adagrad({ ...conventions.tfjs.adagrad, lr: LR }),
    theirs: () => tf.train.adagrad(LR),
  },
  rmsprop: {
    rule: rules.rmsprop({ ...conventions.tfjs.rmsprop, lr: LR }),
    theirs: () => tf.train.rmsprop(LR),
  },
  adam: {
    rule: rules.adam({ ...conventions.tfjs.adam, lr: LR }),
    theirs: () => tf.train.adam(LR),
    corrections: [
      [0.9, 1],
      [0.999, 0.5],
    ],
  },
  adamax: {
    rule: rules.adamax({ ...conventions.tfjs.adamax, lr: LR }),
    theirs: () => tf.train.adamax(LR),
    corrections: [[0.9, 1]],
  },
  adadelta: {
    // That tfjs's is plain gradient descent, see the convention.
    rule: rules.adadelta({ ...conventions.tfjs.adadelta, lr: LR, previousAccumulator: true }),
    theirs: () => tf.train.adadelta(LR),
  },
};

const HALF_ULP = 2 ** -24;

/**
 * The error of a step, absolute, by element: relative of its movement, and of the sum. Of gradients of one sign, so that nothing
 * cancels in the moments: every operation then adds half an ULP, relative, of its result. No formula here has more than 16 of
 * them, times two sides; a moment carries those of the steps before.
 *
 * @param t the step's number.
 * @param steps how many made the moments on each side by itself.
 */
function errorsOfStep(
  [before, after]: readonly [Float32Array, Float32Array],
  { corrections = [] }: Counterpart,
  t: number,
  steps: number,
): Float64Array {
  // 1 − βᵗ from a βᵗ that was rounded t times, and β once.
  const corrected = corrections.reduce((sum, [beta, power]) => sum + (power * 2 * t) / (1 - beta ** t), 0);
  const relative = HALF_ULP * (2 * 16 * steps + corrected);
  return Float64Array.from(after, (w, i) => {
    const size = Math.max(Math.abs(w), Math.abs(before[i]!));
    return relative * (Math.abs(w - before[i]!) + 2 * HALF_ULP * size) + 2 * HALF_ULP * size;
  });
}

const checkNear = (got: Float32Array, want: Float32Array, errors: Float64Array, what: string) =>
  checkWithinBound(
    got,
    Array.from(want, (value, i) => ({ value, error: errors[i]! })),
    what,
  );

/** Gradients of one sign. */
const risingGradient = (random: Random, shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((product, n) => product * n, 1) }, () => 0.1 + random.uniform()),
    shape,
  );

for (const [name, counterpart] of Object.entries(COUNTERPARTS)) {
  test(`${name} with the conventions of tfjs moves as tf.train.${name}`, async () => {
    const random = new Random(inject('seed'));
    const start = random.weights(500);
    const [mine, other] = [variable(start), variable(start)];
    const [ours, their] = [make(counterpart.rule), counterpart.theirs()];
    const errors = new Float64Array(start.length);
    let before = start;
    for (let t = 1; t <= STEPS; t++) {
      const gradient = risingGradient(random, [500]);
      ours.applyGradients({ [mine.name]: gradient });
      their.applyGradients({ [other.name]: gradient });
      gradient.dispose();
      const after = await valuesOf(mine);
      errorsOfStep([before, after], counterpart, t, t).forEach((error, i) => (errors[i]! += error));
      before = after;
    }
    const got = await valuesOf(mine);
    checkNear(got, await valuesOf(other), errors, name);
    expect(bitDifference(got, start)).toContain('500 of 500 differ');
    their.dispose();
  });
}

const SAVED: Record<string, Counterpart> = {
  ...COUNTERPARTS,
  'rmsprop, momentum': {
    rule: rules.rmsprop({ ...conventions.tfjs.rmsprop, lr: LR, momentum: 0.9 }),
    theirs: () => tf.train.rmsprop(LR, 0.9, 0.9),
  },
  'rmsprop, centered': {
    // Where the variance is below ε, that of tfjs gives NaN: it is the state that counts here.
    rule: rules.rmsprop({ ...conventions.tfjs.rmsprop, lr: 0, centered: true, bugCompatible: true }),
    theirs: () => tf.train.rmsprop(0, 0.9, 0, undefined, true),
  },
};
delete SAVED['adamax'];

for (const [name, counterpart] of Object.entries(SAVED)) {
  test(`a checkpoint of tf.train is gone on with, and back: ${name}`, async () => {
    const random = new Random(inject('seed'));
    const shapes = [[5, 8], [3]];
    const start = shapes.map((shape) => random.weights(shape.reduce((product, n) => product * n, 1)));
    const all = [0, 1].map(() => shapes.map((shape, k) => variable(start[k]!, shape)));
    const [mine, other] = all as [tf.Variable[], tf.Variable[]];
    const [ours, their, back] = [
      // With what a checkpoint of tfjs knows nothing of.
      make(counterpart.rule, name === 'adam' ? { maxGradNorm: 1e6 } : {}),
      counterpart.theirs(),
      counterpart.theirs(),
    ];
    const step = (...pairs: [tf.Optimizer, tf.Variable[]][]) => {
      const gradients = shapes.map((shape) => risingGradient(random, shape));
      for (const [optimizer, variables] of pairs) {
        optimizer.applyGradients(variables.map((v, k) => ({ name: v.name, tensor: gradients[k]! })));
      }
      tf.dispose(gradients);
    };
    const namesOf = (weights: readonly { name: string }[]) => weights.map((weight) => weight.name);
    const named = (variables: tf.Variable[], weights: { name: string; tensor: tf.Tensor }[]) =>
      weights.map(({ name: given, tensor }) => {
        const k = other.findIndex((v) => given.startsWith(`${v.name}/`));
        return { name: k < 0 ? given : given.replace(other[k]!.name, variables[k]!.name), tensor };
      });
    const values = async (variables: readonly tf.Tensor[]) => Promise.all(variables.map(valuesOf));
    const compare = async (before: Float32Array[], t: number) => {
      const [got, want] = [await values(mine), await values(other)];
      for (const [k, after] of got.entries()) {
        const errors = errorsOfStep([before[k]!, after], counterpart, t, 1);
        checkNear(after, want[k]!, errors, `${name}, ${k}, step ${t}`);
      }
    };
    for (let t = 1; t <= 2; t++) step([their, other]);
    const weights = named(mine, await their.getWeights());
    await ours.setWeights(weights);
    expect(ours.iterations).toBe(2);
    // As it was, bit for bit, name for name.
    const again = await ours.getTrainWeights();
    expect(namesOf(again)).toEqual(namesOf(weights));
    for (const [k, { name: given, tensor }] of weights.entries()) {
      // Without momentum, ours has no velocity, and tfjs's is never read.
      const isUnread = given.endsWith('/momentum') && Reflect.get(counterpart.rule.options, 'momentum') === 0;
      expect(again[k]!.tensor.shape).toEqual(tensor.shape);
      const want = isUnread ? new Float32Array(tensor.size) : await valuesOf(tensor);
      expect(bitDifference(await valuesOf(again[k]!.tensor), want), given).toBeUndefined();
    }
    for (const [k, v] of mine.entries()) v.assign(other[k]!.clone());
    let before = await values(mine);
    step([ours, mine], [their, other]);
    await compare(before, 3);
    // And theirs goes on with ours.
    const exported = await ours.getTrainWeights();
    await back.setWeights(exported.map((weight) => ({ ...weight })));
    for (const [k, v] of other.entries()) v.assign(mine[k]!.clone());
    before = await values(mine);
    step([ours, mine], [back, other]);
    await compare(before, 4);
    expect(back.iterations).toBe(4);
    for (const optimizer of [their, back]) optimizer.dispose();
  });
}
