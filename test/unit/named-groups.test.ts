/** Groups by names, as the adapters of all frameworks take them. */
import { expect, test } from 'vitest';
import { NamedGroups, type NamedGroup } from '../../src/adapters/shared/named-groups.js';
import { withoutNumber } from '../../src/adapters/tfjs/numbered-names.js';
import { adamw } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';

const RULE = adamw();
const NAMES = ['dense.kernel', 'dense.bias', 'dense2/kernel', 'out'];

const groupsOf = (...groups: readonly NamedGroup[]) => new NamedGroups(groups, RULE, 'array');
const parameters = NAMES.map((name) => ({ name }));

/** Names by group: of those given, in their order, and of the rest. */
const namesIn = (groups: NamedGroups) =>
  groups.assignAll(parameters).map(({ rank, params }) => [rank, ...params.map(({ name }) => name)]);

test('groups come in the order given, and what none of them names comes last', () => {
  const groups = groupsOf({ params: ['out'], lr: 1 }, { params: ['dense.bias'], lr: 2, weightDecay: 0 });
  expect(groups.assignAll(parameters)).toEqual([
    { rank: 0, overrides: { lr: 1 }, params: [{ name: 'out' }] },
    { rank: 1, overrides: { lr: 2, weightDecay: 0 }, params: [{ name: 'dense.bias' }] },
    { rank: 2, overrides: {}, params: [{ name: 'dense.kernel' }, { name: 'dense2/kernel' }] },
  ]);
  expect(groupsOf().assignAll(parameters)).toEqual([{ rank: 0, overrides: {}, params: parameters }]);
  expect(namesIn(groupsOf({ match: /.+/gy }))).toEqual([[0, ...NAMES]]);
});

test('a name stands for what lies below it, and for nothing that only begins like it', () => {
  expect(namesIn(groupsOf({ params: ['dense2', 'out'] }, { params: ['dense'] }))).toEqual([
    [0, 'dense2/kernel', 'out'],
    [1, 'dense.kernel', 'dense.bias'],
  ]);
});

test('of several that match, the first counts; a name goes before', () => {
  const groups = groupsOf({ match: /kernel/g }, { match: /kernel|bias/ }, { params: ['dense2/kernel'] });
  expect(namesIn(groups)).toEqual([
    [0, 'dense.kernel'],
    [1, 'dense.bias'],
    [2, 'dense2/kernel'],
    [3, 'out'],
  ]);
  expect(namesIn(groupsOf({ params: ['out'], match: /bias$/ }))[0]).toEqual([0, 'dense.bias', 'out']);
});

test('where parameters come by and by, groups wait for theirs', () => {
  const groups = groupsOf({ params: ['later'], lr: 1 });
  expect(groups.assign(parameters)).toEqual([{ rank: 1, overrides: {}, params: parameters }]);
  expect(groups.rankOf('later/kernel')).toBe(0);
});

/** The ranks of some names, as tfjs numbers them. */
const ranksOf = (names: readonly string[], ...groups: readonly NamedGroup[]) => {
  const assigned = new NamedGroups(groups, RULE, 'variable', withoutNumber).assignAll(
    names.map((name) => ({ name })),
  );
  return Object.fromEntries(assigned.flatMap(({ rank, params }) => params.map(({ name }) => [name, rank])));
};

test('a number behind the name of a weight is tfjs’s, one behind that of a layer is not', () => {
  expect(withoutNumber('out/bias_12')).toBe('out/bias');
  for (const name of ['out/bias', 'dense_1/bias', 'bias_1', 'out/bias_', 'out/bias_0', 'a_1/b/c', 'out/_1']) {
    expect(withoutNumber(name)).toBe(name);
  }
});

test('numbered names match as those without number, whatever the expression', () => {
  for (const number of ['', '_1', '_12']) {
    const names = ['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias'].map((n) => n + number);
    const expected = (...ranks: number[]) => Object.fromEntries(names.map((name, k) => [name, ranks[k]]));
    expect(ranksOf(names, { match: /bias$/ })).toEqual(expected(1, 0, 1, 0));
    expect(ranksOf(names, { match: /^(?!.*bias$)/ })).toEqual(expected(0, 1, 0, 1));
    expect(ranksOf(names, { match: /dense_1\/bias$/ })).toEqual(expected(1, 1, 1, 0));
    expect(ranksOf(names, { match: /bias$/ }, { match: /dense\// })).toEqual(expected(1, 0, 2, 0));
    expect(ranksOf(names, { params: ['dense/bias'] })).toEqual(expected(1, 0, 1, 1));
    expect(ranksOf(names, { params: ['dense/bias', 'dense_1'] })).toEqual(expected(1, 0, 0, 0));
  }
  // Who gives the number means it.
  expect(ranksOf(['out/w_1', 'out/w_2'], { match: /w_1$/ })).toEqual({ 'out/w_1': 0, 'out/w_2': 1 });
  expect(ranksOf(['out/w_1', 'out/w_2'], { match: /_[2-9]$/ })).toEqual({ 'out/w_1': 1, 'out/w_2': 0 });
});

test('a name in params is the parameter of just this name, if there is one', () => {
  const names = ['out/w', 'out/w_1', 'w_1'];
  expect(ranksOf(names, { params: ['out/w'] })).toEqual({ 'out/w': 0, 'out/w_1': 1, w_1: 1 });
  expect(ranksOf(names, { params: ['out/w'] }, { params: ['out/w_1'] })).toMatchObject({
    'out/w': 0,
    'out/w_1': 1,
  });
  expect(() => ranksOf(['out/w_1', 'out/w_2'], { params: ['out/w'] })).toThrow(
    'groups[0]: "out/w" may be "out/w_1" or "out/w_2"; name the one that is meant, or both.',
  );
  expect(() => ranksOf(['out/w_1'], { params: ['out/w', 'out/w_1'] })).toThrow('named twice');
  expect(() => ranksOf(['w_1'], { params: ['w'] })).toThrow('there is no variable at or below "w"');
  const groups = new NamedGroups([{ params: ['out/w'] }], RULE, 'variable', withoutNumber);
  const late = [{ name: 'out/w_1' }];
  expect(groups.assign(late)[0]!.rank).toBe(0);
  expect(groups.assign(late, ['out/w'])[0]!.rank).toBe(1);
  expect(() => groups.assign(late, ['out/w_2'])).toThrow('"out/w" may be "out/w_2" or "out/w_1"');
});

test('a group may wait for a parameter that is there', () => {
  const groups = groupsOf({ match: /later/ }, { params: ['late'] });
  expect(groups.assignAll(parameters, ['later', 'late'])).toEqual([
    { rank: 2, overrides: {}, params: parameters },
  ]);
  expect(() => groups.assignAll(parameters, ['late'])).toThrow('no array is left that matches /later/');
  expect(() => groups.assignAll(parameters, ['later'])).toThrow('no array at or below "late"');
});

test('options are copied: inherited ones count, and undefined is none', () => {
  const given = Object.create(
    { weightDecay: 0.5 },
    { params: { value: ['out'], enumerable: true, writable: true } },
  );
  given.lr = undefined;
  const groups = groupsOf(given as NamedGroup);
  given.params = ['dense'];
  expect(groups.assignAll(parameters)[0]).toEqual({
    rank: 0,
    overrides: { weightDecay: 0.5 },
    params: [{ name: 'out' }],
  });
});

test.each<[string, unknown]>([
  ['groups is 3; give an array', 3],
  ['groups is {  }', {}],
  ['groups[1] is 7; give { params:', [{ params: ['out'] }, 7]],
  ['groups[0] is undefined', Array(1)],
  ['groups[0] is { lr }; give { params:', [{ lr: 1 }]],
  ['groups[0].params is "out"; give an array of names', [{ params: 'out' }]],
  ['groups[0].params is []', [{ params: [] }]],
  ['groups[0].params is ["out", 5]', [{ params: ['out', 5] }]],
  ['groups[0].match is "b"; give a RegExp', [{ match: 'b' }]],
  ['unknown option "momentum"', [{ match: /b/, momentum: 1 }]],
  ['lr is -1', [{ match: /b/, lr: -1 }]],
  ['groups[0]: there is no array at or below "x"; there are ["dense.kernel"', [{ params: ['x'] }]],
  ['groups[0]: no array is left that matches /x/; there are', [{ match: /x/ }]],
  ['groups[1]: no array is left that matches /ut/', [{ match: /out/ }, { match: /ut/ }]],
  ['groups[1]: "dense.bias" is named twice', [{ params: ['dense.bias'] }, { params: ['dense'] }]],
  ['groups[0]: "out" is named twice', [{ params: ['out', 'out'] }]],
])('refused: %s', async (message, given) => {
  const error = await errorOf(() => new NamedGroups(given as never, RULE, 'array').assignAll(parameters));
  expect(error.message).toContain(message);
});
