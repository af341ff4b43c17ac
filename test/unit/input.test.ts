/** What configs are: copied at the call, own and inherited alike, and refused with a remedy where they make no sense. */
import { describe, expect, test } from 'vitest';
import { resolveAddedGroup } from '../../src/engine/input/added-group.js';
import { type ResolvedConfig, resolveConfig } from '../../src/engine/input/config.js';
import { NameTable } from '../../src/engine/input/names.js';
import { type Parameter } from '../../src/engine/input/parameter/parameter.js';
import { adam } from '../../src/rules/adam.js';
import { adamw } from '../../src/rules/adamw.js';
import { sgd } from '../../src/rules/sgd.js';
import { errorOf } from '../support/error-of.js';
import { fakeBuffer } from '../support/fake-buffer.js';

const parameter = (name: string, elementCount = 4) => ({
  name,
  data: fakeBuffer(elementCount),
  grad: fakeBuffer(elementCount),
});

/** A group that is added to what a config gives. */
function addedTo(resolved: ResolvedConfig, group: unknown, parameterCount: number) {
  const there = resolved.groups.flatMap(({ parameters }) => parameters);
  const table = new NameTable(there.map((each) => [each.name, { parameter: each }]));
  return resolveAddedGroup(resolved, group, table, parameterCount, 'addGroup()');
}

describe('a config is copied', () => {
  test('so that nothing that is done to it afterwards shows', () => {
    const [own, betas] = [
      [0.6, 0.7],
      [0.8, 0.9],
    ];
    const config = {
      rule: { ...adam(), options: { ...adam().options, betas: own } } as Record<string, unknown>,
      groups: [{ params: [parameter('a')], betas }] as Record<string, unknown>[],
      lossScale: { init: 8 },
      kernel: { workgroupSize: 64 },
      maxGradNorm: 1,
    };
    const resolved = resolveConfig(config);
    own[0] = 2;
    betas[0] = 2;
    config.lossScale.init = -1;
    config.kernel.workgroupSize = -1;
    config.maxGradNorm = 7;
    config.groups[0]!['params'] = [];
    config.rule['options'] = {};
    const [group] = resolved.groups;
    expect(group!.rule.options['betas']).toEqual([0.8, 0.9]);
    expect(group!.parameters.map(({ name }) => name)).toEqual(['a']);
    expect(resolved.gradients).toMatchObject({ lossScale: 8, maxGradNorm: 1, skipNonFinite: true });
    expect(resolved.kernel).toEqual({ workgroupSize: 64 });
    expect(Object.isFrozen(group!.rule.options['betas'])).toBe(true);
    const added = addedTo(resolved, { params: [parameter('b')] }, 1);
    expect(added.rule.options['betas']).toEqual([0.6, 0.7]);
    expect(Object.isFrozen(resolved.gradients) && Object.isFrozen(resolved.kernel)).toBe(true);
  });

  test('inherited properties and getters included', () => {
    class Config {
      params = [parameter('a')];
      get rule() {
        return sgd({ lr: 0.5 });
      }
      get maxGradNorm() {
        return 3;
      }
    }
    const settings = { lossScale: 4, skipNonFinite: true };
    const inheriting = Object.assign(Object.create(settings) as object, {
      rule: sgd({ lr: 0.5 }),
      groups: [Object.assign(Object.create({ lr: 0.25 }) as object, { params: [parameter('a')] })],
    });
    class Group {
      params = [parameter('a')];
      get lr() {
        return 0.125;
      }
    }
    const added = addedTo(resolveConfig(new Config()), new Group(), 1);
    expect(added.rule.options.lr).toBe(0.125);
    expect(resolveConfig(new Config()).gradients.maxGradNorm).toBe(3);
    const resolved = resolveConfig(inheriting);
    expect(resolved.gradients).toMatchObject({ lossScale: 4, skipNonFinite: true });
    expect(resolved.groups[0]!.rule.options.lr).toBe(0.25);
  });

  test('undefined is not given', () => {
    const rule = adam({ lr: 0.1, betas: [0.5, 0.75] });
    const groups = [{ params: [parameter('a')], lr: undefined, betas: undefined }];
    const resolved = resolveConfig({
      rule,
      groups,
      params: undefined,
      maxGradNorm: undefined,
      ema: undefined,
    });
    expect(resolved.groups[0]!.rule.options).toMatchObject({ lr: 0.1, betas: [0.5, 0.75] });
    const added = addedTo(resolved, { params: [parameter('b')], lr: undefined }, 1);
    expect(added.rule.options.lr).toBe(0.1);
  });

  test('names follow the position over all groups', () => {
    const unnamed = () => ({ data: fakeBuffer(1), grad: fakeBuffer(1) });
    const resolved = resolveConfig({
      rule: sgd(),
      groups: [{ params: [unnamed()] }, { params: [unnamed()] }],
    });
    const added = addedTo(resolved, { params: [unnamed(), unnamed()] }, 2);
    const names = [...resolved.groups, added].flatMap(({ parameters }) => parameters.map(({ name }) => name));
    expect(names).toEqual(['param0', 'param1', 'param2', 'param3']);
  });
});

test('parameters that are added have to fit the rule', () => {
  const grad = { indices: fakeBuffer(1), values: fakeBuffer(2) };
  const resolved = resolveConfig({ rule: sgd(), params: [parameter('a')], ema: { decay: 0.5 } });
  const table = { name: 't', data: fakeBuffer(4), grad, rowLength: 2 };
  expect(() => addedTo(resolved, { params: [table] }, 1)).toThrow('parameter "t" has a sparse gradient');
});

test('parameters that are there move by their names, or as they are', () => {
  const given: (Parameter & { name: string })[] = [
    parameter('a'),
    { ...parameter('b'), rowLength: 2, lrPerColumn: [1, 2] },
    parameter('c'),
  ];
  const resolved = resolveConfig({ rule: adam(), params: given });
  const add = (...params: unknown[]) => addedTo(resolved, { params }, 3);
  const movedOf = (...params: unknown[]) => [...add(...params).moved].map(({ parameter: { name } }) => name);
  const [a, b] = given as [Parameter, Parameter];
  expect(movedOf('c', { name: 'a' })).toEqual(['c', 'a']);
  expect(movedOf(b, { ...a, length: 4 })).toEqual(['b', 'a']);
  expect(add(parameter('d'), 'a').parameters.map(({ name }) => name)).toEqual(['d']);
  // Not as they are: for whoever looks at names to refuse.
  for (const other of [
    { ...a, grad: fakeBuffer(4) },
    { ...a, length: 3 },
    { ...b, lrPerColumn: [1, 1] },
    { ...a, rowLength: 2 },
  ])
    expect(add(other)).toMatchObject({ parameters: [{ name: other.name }], moved: new Set() });
  expect(() => add('a', { name: 'a' })).toThrow('two parameters are named "a"');
  for (const key of ['data', 'grad'] as const)
    expect(() => add({ ...a, [key]: undefined })).toThrow(`"a": ${key} is undefined`);
  expect(() => add('x')).toThrow('addGroup(): there is no parameter "x"; there are "a", "b", "c"');
  expect(() => add({ name: 'x' })).toThrow('parameter "x": data is undefined');
  expect(() => add({ name: 'a', rowLength: 1 })).toThrow(
    'moves as it is, but rowLength is given; leave it out',
  );
  const buffer = fakeBuffer(5);
  const dense = { name: 'r', data: buffer, grad: fakeBuffer(4), rowLength: 2, length: 4 };
  const rows = resolveConfig({ rule: sgd(), params: [{ ...dense, data: { buffer, byteStride: 12 } }] });
  expect(addedTo(rows, { params: [dense] }, 1).moved.size).toBe(0);
});

const params = [parameter('a')];
const holes = [parameter('a'), parameter('b'), parameter('c')];
Reflect.deleteProperty(holes, 1);

test.for<[string, string, () => unknown]>([
  [
    'a rule that went through JSON',
    'that lost its functions, as JSON does',
    () => ({ rule: JSON.parse(JSON.stringify(adam())), params }),
  ],
  ['a rule function', 'call it: adamw(', () => ({ rule: adamw, params })],
  ['a foreign function', 'give e.g. adam(', () => ({ rule: () => 1, params })],
  ['a hole in params', 'parameter 1 is undefined', () => ({ rule: sgd(), params: holes })],
  ['a Symbol as label', 'label is Symbol(x)', () => ({ rule: sgd(), params, label: Symbol('x') })],
  [
    'a Symbol as name',
    'name is Symbol(x)',
    () => ({ rule: sgd(), params: [{ ...params[0], name: Symbol('x') }] }),
  ],
  ['a Map', 'the config is a Map', () => new Map()],
  ['a list as group', 'groups[0] is [', () => ({ rule: sgd(), groups: [params] })],
  [
    'an unknown inherited option',
    'unknown option "maxNorm"',
    () => Object.create({ rule: sgd(), params, maxNorm: 1 }),
  ],
  [
    'an unknown option without a value',
    'unknown option "beta"',
    () => ({ rule: sgd(), groups: [{ params, beta: undefined }] }),
  ],
  ['ema without a decay', 'ema: decay is not given', () => ({ rule: sgd(), params, ema: {} })],
  ['a list as kernel', 'kernel: is []', () => ({ rule: sgd(), params, kernel: [] })],
  ['a list as loss scale', 'lossScale is []', () => ({ rule: sgd(), params, lossScale: [] })],
  ['a Map as loss scale', 'lossScale is a Map', () => ({ rule: sgd(), params, lossScale: new Map() })],
  ['neither params nor groups', 'neither params nor groups is given', () => ({ rule: sgd() })],
  ['both', 'both params and groups are given', () => ({ rule: sgd(), params, groups: [{ params }] })],
  ['no parameter', 'params is []', () => ({ rule: sgd(), params: [] })],
  [
    'workgroups of nobody',
    'workgroupSize is 0; give an integer ≥ 1',
    () => ({ rule: sgd(), params, kernel: { workgroupSize: 0 } }),
  ],
  [
    'too many lanes',
    'lanesPerInvocation is 65537; give an integer from 1 to 65536',
    () => ({ rule: sgd(), params, kernel: { lanesPerInvocation: 65_537 } }),
  ],
  [
    'another key of the dynamic loss scale',
    'unknown option "start"',
    () => ({ rule: sgd(), params, lossScale: { start: 1 } }),
  ],
])('a config is refused with %s', async ([, message, config]) => {
  const error = await errorOf(() => resolveConfig(config()));
  expect(error.message).toContain(message);
});
