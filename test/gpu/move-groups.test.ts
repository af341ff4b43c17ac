/** Parameters that move to a group with other options, and all that is known of them comes along. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type Parameter,
  ParameterArena,
  type Rule,
  adam,
  novograd,
  sgd,
} from '../../src/index.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { exactRule, makeLifePair } from '../support/life-pair.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const tensors = (names: string) =>
  names.split('').map((name, k) => ({ name, rowLength: 1 + k, rowCount: 5, room: 7 }));

const CASES: [string, Rule, Readonly<Record<string, unknown>>][] = [
  ['the host counts', adam({ lr: 0.1 }), {}],
  ['the GPU counts, with averages', adam({ lr: 0.1 }), { skipNonFinite: true, ema: { decay: 0.5 } }],
  ['tensors are measured', novograd({ lr: 0.1 }), {}],
];

for (const [title, rule, settings] of CASES) {
  gpuTest(`weights, state and counts move along: ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const groups = [tensors('abcd'), tensors('ef'), tensors('g')];
    const pair = await makeLifePair(device, track, random, exactRule(device, rule), groups, settings);
    const { optimizer } = pair;
    const frozen = new Set<string>();
    const step = (skip: string[] = []) => pair.step(skip, frozen);
    step();
    optimizer.freeze(['f']);
    frozen.add('f');
    step(['b']);
    // Until it is there, steps are the former group's.
    const adding = optimizer.addGroup({ params: ['b', { name: 'f' }, 'c'], lr: 0.25 });
    step(['b']);
    const group = await adding;
    pair.noteMove(['b', 'f', 'c'], { lr: 0.25 });
    expect(optimizer.groups.map(({ params }) => params)).toEqual([['a', 'd'], ['e'], ['g'], ['b', 'f', 'c']]);
    expect(optimizer.groups[3]).toBe(group);
    step();
    await pair.compare('moved');
    // A group that loses all is gone; the number of its tensors is as it was.
    optimizer.addGroupSync({ params: ['e', 'g', 'c'], lr: 0.5 });
    pair.noteMove(['e', 'g', 'c'], { lr: 0.5 });
    expect(optimizer.groups.map(({ params }) => params)).toEqual([
      ['a', 'd'],
      ['b', 'f'],
      ['e', 'g', 'c'],
    ]);
    optimizer.unfreeze(['f']);
    frozen.delete('f');
    step(['e']);
    await pair.map(['a', 'e'], Uint32Array.of(4, 2, 2));
    step();
    pair.remove(['b', 'g']);
    step();
    await pair.compare('at the end');
  });
}

gpuTest('beside new ones, with their sparse gradients', async ({ device, track }) => {
  const rule = exactRule(device, adam({ lr: 0.5 }));
  const make = () => {
    const grad = {
      indices: makeBuffer(device, track, new Float32Array(Uint32Array.of(1, 0, 1).buffer)),
      values: makeBuffer(device, track, [1, 2, 3, 4, 5, 6]),
    };
    const table = { name: 't', data: makeBuffer(device, track, [1, 2, 3, 4, 5, 6]), grad, rowLength: 2 };
    return [table, makeParameter(device, track, 'w', [1, 2, 3], [1, -1, 2])] as const;
  };
  const [[table, w], [alike, other]] = [make(), make()];
  const optimizer = track(await Optimizer.create(device, { rule, params: [table, w] }));
  const want = track(await Optimizer.create(device, { rule, params: [alike, other] }));
  optimizer.step();
  want.step();
  // As they are given: the same parameters.
  await optimizer.addGroup({
    params: [makeParameter(device, track, 'n', [1], [1]), table, { ...w, length: 3 }],
  });
  expect(optimizer.groups.map(({ params }) => params)).toEqual([['n', 't', 'w']]);
  for (let k = 0; k < 2; k++) {
    optimizer.step();
    want.step();
  }
  for (const name of ['t', 'w']) {
    expect(await optimizer.readParam(name)).toEqual(await want.readParam(name));
    expect(await optimizer.readState(name, 'step')).toEqual(Float32Array.of(3));
  }
  expect(await optimizer.readState('n', 'step')).toEqual(Float32Array.of(2));
});

gpuTest(
  'a tensor of an arena moves where its shape is left out, and not with another one',
  async ({ device, track }) => {
    const spec = { a: { shape: [2, 3] }, b: { shape: [4] } };
    const arena = track(await ParameterArena.create(device, spec));
    const optimizer = track(await Optimizer.create(device, { rule: adam(), params: arena.params }));
    const [, b] = arena.params;
    const [{ shape: _, ...a }] = arena.params as readonly [Parameter, Parameter];
    const other = { ...a, shape: [3, 2] };
    expect((await errorOf(() => optimizer.addGroup({ params: [other] }))).code).toBe('invalid-parameter');
    await optimizer.addGroup({ params: [a], lr: 0.5 });
    await optimizer.addGroup({ params: [b!], lr: 0.25 });
    expect(optimizer.groups.map(({ params }) => params)).toEqual([['a'], ['b']]);
  },
);

gpuTest('what makes no sense is refused, and changes nothing', async ({ device, track }) => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => makeParameter(device, track, name, [1, 2], [1, -1]));
  const rule = sgd({ lr: 0.5 });
  const optimizer = track(await Optimizer.create(device, { rule, params: [a!, b!, c!] }));
  const cases: [unknown, string][] = [
    [['x'], 'addGroup(): there is no parameter "x"; there are "a", "b", "c"'],
    [['a', 'a'], 'two parameters are named "a"'],
    [[{ ...a!, data: makeBuffer(device, track, [1, 2]) }], 'two parameters are named "a"'],
    [[], 'group.params is []'],
  ];
  for (const [params, complaint] of cases) {
    expect((await errorOf(() => optimizer.addGroup({ params: params as string[] }))).message).toContain(
      complaint,
    );
  }
  // Two at once, and one that is removed before it could move.
  const add = (params: unknown[]) =>
    optimizer.addGroup({ params: params as string[] }).then(
      () => 'joined',
      (error: Error) => error.message,
    );
  const moving = [add(['a']), add(['a', 'b']), add(['c'])];
  optimizer.remove(['c']);
  // Its name is free at once, and taken again from then on, though the group that it was to move to is yet to be refused.
  const anew = makeParameter(device, track, 'c', [1, 2], [1, -1]);
  moving.push(add([anew]), add([c]));
  optimizer.step();
  const third = await moving[2];
  moving.push(add([c]));
  const messages = await Promise.all(moving);
  expect(third).toContain('parameter "c" was removed before it could move');
  const pending = (name: string) =>
    `addGroup(): parameter "${name}" is in a group that is about to join; await that call of addGroup() first.`;
  expect(messages).toEqual(['joined', pending('a'), third, 'joined', pending('c'), pending('c')]);
  expect(optimizer.groups.map(({ params }) => params)).toEqual([['b'], ['a'], ['c']]);
  optimizer.step();
  expect(await optimizer.readParam('c')).toEqual(Float32Array.of(0.5, 2.5));
  optimizer.remove(['c']);
  // Names and numbers are free again.
  await optimizer.addGroup({ params: ['a', { data: c!.data, grad: c!.grad }] });
  expect(optimizer.groups.map(({ params }) => params)).toEqual([['b'], ['param4', 'a']]);
});
