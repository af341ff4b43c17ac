import * as tf from '@tensorflow/tfjs-core';
import { expect, inject, test } from 'vitest';
import { ReferenceOptimizer, type Rule, conventions, rules } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { BoundedRun } from '../../proof/bounded-run.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
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

for (const [name, factory] of ruleFactories) {
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

for (const [name, { rule, theirs, corrections = [] }] of Object.entries(COUNTERPARTS)) {
  test(`${name} with the conventions of tfjs moves as tf.train.${name}`, async () => {
    const random = new Random(inject('seed'));
    const start = random.weights(500);
    const [mine, other] = [variable(start), variable(start)];
    const [ours, their] = [make(rule), theirs()];
    // The error of each step's movement, relative, and of the sum, absolute. Gradients of one sign, so that nothing
    // cancels in the moments: every operation then adds half an ULP, relative, of its result. No formula here has more
    // than 16 of them, times two sides; a moment carries those of the steps before.
    const HALF_ULP = 2 ** -24;
    const bound = new Float64Array(start.length);
    let before = start;
    for (let t = 1; t <= STEPS; t++) {
      const gradient = tf.tensor1d(Float32Array.from(start, () => 0.1 + random.uniform()));
      ours.applyGradients({ [mine.name]: gradient });
      their.applyGradients({ [other.name]: gradient });
      gradient.dispose();
      const after = await valuesOf(mine);
      // 1 − βᵗ from a βᵗ that was rounded t times, and β once.
      const corrected = corrections.reduce(
        (sum, [beta, power]) => sum + (power * 2 * t) / (1 - beta ** t),
        0,
      );
      const relative = HALF_ULP * (2 * 16 * t + corrected);
      for (let i = 0; i < start.length; i++) {
        const size = Math.max(Math.abs(after[i]!), Math.abs(before[i]!));
        bound[i]! +=
          relative * (Math.abs(after[i]! - before[i]!) + 2 * HALF_ULP * size) + 2 * HALF_ULP * size;
      }
      before = after;
    }
    const got = await valuesOf(mine);
    const want = Array.from(await valuesOf(other), (value, i) => ({ value, error: bound[i]! }));
    checkWithinBound(got, want, name);
    expect(bitDifference(got, start)).toContain('500 of 500 differ');
    their.dispose();
  });
}
