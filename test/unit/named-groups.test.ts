/** Groups by names, as the adapters of all frameworks take them. */
import { expect, test } from 'vitest';
import { NamedGroups, type NamedGroup } from '../../src/adapters/shared/named-groups.js';
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
