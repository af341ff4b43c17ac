/** What is refused where the state of one of tfjs's own optimizers is no state of ours, or the other way round. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { NamedGroups, type NamedGroup } from '../../src/adapters/shared/named-groups.js';
import type { SavedState } from '../../src/adapters/tfjs/saved-state.js';
import { fromTrain, toTrain } from '../../src/adapters/tfjs/train-state.js';
import { type Rule, adam, adamw, conventions, ftrl, lion, momentum, rmsprop, sgd } from '../../src/index.js';

/** A state of one variable with such slots. */
const stateOf = (slots: readonly string[], more: Partial<SavedState> = {}): SavedState => ({
  step: 3,
  slots: new Map([['w', Object.fromEntries(slots.map((slot, k) => [slot, Float32Array.of(k + 1, 0)]))]]),
  steps: new Map(),
  ...more,
});

const groupsOf = (rule: Rule, groups: readonly NamedGroup[] = []) =>
  new NamedGroups(groups, rule, 'variable');
const slotsOf = (state: SavedState) =>
  Object.fromEntries(Object.entries(state.slots.get('w')!).map(([slot, values]) => [slot, [...values]]));

test('what is a state of the rule itself is left as it is, whatever its names', () => {
  for (const [rule, slots] of [
    [ftrl(), ['accumulator']],
    [ftrl(), ['accumulator', 'linear']],
    [adam(), ['exp_avg', 'exp_avg_sq']],
    [sgd(), []],
  ] as const) {
    const saved = stateOf(slots);
    expect(fromTrain(saved, rule, groupsOf(rule))).toBe(saved);
  }
});

test('velocities with a learning rate in them have the other sign here, and those that are not read are left out', () => {
  const saved = stateOf(['rms', 'momentum']);
  const [still, moving] = [rmsprop(), rmsprop({ momentum: 0.5 })];
  expect(slotsOf(fromTrain(saved, still, groupsOf(still)))).toEqual({ square_avg: [1, 0] });
  expect(slotsOf(fromTrain(saved, moving, groupsOf(moving)))).toEqual({
    square_avg: [1, 0],
    momentum_buffer: [-2, -0],
  });
});

test.each<[string, Rule, readonly string[], string, (readonly NamedGroup[])?]>([
  [
    'another rule',
    lion(),
    ['m', 'v'],
    'weights of tf.train.adam, and the rule is "lion"; give adam or adamw',
  ],
  ['another rule', adam(), ['rms', 'momentum'], 'of tf.train.rmsprop, and the rule is "adam"; give rmsprop'],
  ['more than there is', adam({ amsgrad: true }), ['m', 'v'], 'which lack "max_exp_avg_sq"'],
  ['less than there is', adam(), ['m'], 'which lack "exp_avg_sq"'],
  [
    'more than is used',
    rmsprop(),
    ['rms', 'momentum', 'mg'],
    'in its centered form; give rmsprop({ centered: true',
  ],
  [
    'another velocity',
    momentum(),
    ['momentum'],
    'no learning rate in it; give momentum({ lrInVelocity: false, … })',
  ],
  [
    'another velocity',
    rmsprop({ momentum: 0.5, lrInVelocity: false }),
    ['rms', 'momentum'],
    'a learning rate in it; give rmsprop({ lrInVelocity: true, … }), as conventions.tfjs.rmsprop does',
  ],
  [
    'another velocity of a group',
    momentum({ lrInVelocity: false }),
    ['momentum'],
    'no learning rate in it',
    [{ match: /w/, lrInVelocity: true }],
  ],
])('refused as weights: %s', (_, rule, slots, message, groups) => {
  const load = () => fromTrain(stateOf(slots), rule, groupsOf(rule, groups));
  expect(load).toThrow(message);
  expect(load).toThrow(expect.objectContaining({ code: 'invalid-state-dict' }));
});

test.each<[string, Rule, readonly string[], Partial<SavedState>, string]>([
  [
    'no counterpart',
    lion(),
    ['exp_avg'],
    {},
    'nothing with the state of "lion"; it has of sgd, adam, adamw, adagrad',
  ],
  [
    'more than it keeps',
    adam({ amsgrad: true }),
    ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'],
    {},
    'tf.train.adam has no place for "max_exp_avg_sq"',
  ],
  ['averages', sgd(), ['ema'], {}, 'tf.train.sgd has no place for "ema"'],
  [
    'several counts',
    adamw(),
    ['exp_avg', 'exp_avg_sq'],
    { steps: new Map([['w', 2]]) },
    'variables have made 2 steps, and tf.train.adam corrects',
  ],
  [
    'no variable',
    adam(),
    ['exp_avg', 'exp_avg_sq'],
    {},
    'there is no variable "w" of this state yet; make a step first',
  ],
])('refused as weights for tf.train: %s', (_, rule, slots, more, message) => {
  const before = tf.memory().numTensors;
  expect(() => toTrain(stateOf(slots, more), rule, groupsOf(rule))).toThrow(message);
  expect(tf.memory().numTensors).toBe(before);
});

test('counts that do not matter are no reason, and a velocity that there is none of is 0', async () => {
  const w = tf.variable(tf.zeros([2, 1]), true, 'w');
  const rule = rmsprop(conventions.tfjs.rmsprop);
  const { list } = toTrain(stateOf(['square_avg'], { steps: new Map([['w', 2]]) }), rule, groupsOf(rule));
  expect(list.map(({ name, tensor }) => [name, tensor.shape, [...tensor.dataSync()]])).toEqual([
    ['iter', [], [3]],
    ['w/rms', [2, 1], [1, 0]],
    ['w/momentum', [2, 1], [0, 0]],
  ]);
  // Two elements are not these.
  w.dispose();
  tf.variable(tf.zeros([3]), true, 'w');
  expect(() => toTrain(stateOf(['square_avg']), rule, groupsOf(rule))).toThrow(
    'no variable "w" of this state',
  );
  tf.disposeVariables();
});
