/** What callers give: copied at the call, own and inherited alike, and refused with a remedy where it makes no sense. */
import { describe, expect, test } from 'vitest';
import { resolveAddedGroup } from '../../src/engine/input/added-group.js';
import { type ResolvedConfig, resolveConfig } from '../../src/engine/input/config.js';
import { checkGradScale, resolveGradientOptions } from '../../src/engine/input/options/gradient-options.js';
import { resolveKernelOptions } from '../../src/engine/input/options/kernel-options.js';
import { NameTable } from '../../src/engine/input/names.js';
import { type Parameter, resolveParameter } from '../../src/engine/input/parameter/parameter.js';
import { adam } from '../../src/rules/adam.js';
import { adamw } from '../../src/rules/adamw.js';
import { defineRule } from '../../src/rules/declaring/define-rule.js';
import { ftrl } from '../../src/rules/ftrl.js';
import { option } from '../../src/rules/options/option.js';
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

describe('a parameter', () => {
  const resolve = (changes: object) => resolveParameter({ ...parameter('w'), ...changes }, 0);
  const entries = { indices: fakeBuffer(2), values: fakeBuffer(4) };
  const apart = (length: number) => ({ buffer: fakeBuffer(length), byteStride: 8 });
  const own = fakeBuffer(4);

  test('may have gradients in pieces', () => {
    const { grad, sparse } = resolve({ data: fakeBuffer(5), grad: [fakeBuffer(2), fakeBuffer(3)] });
    expect([grad.map(({ elementCount }) => elementCount), sparse]).toEqual([[2, 3], undefined]);
  });

  test('may have rows that lie apart, of the last of which no more than its elements is there', () => {
    const data = { buffer: fakeBuffer(10), offset: 8, byteStride: 20 };
    const { elementCount, data: pieces, grad } = resolve({ rowLength: 2, data, grad: fakeBuffer(4) });
    expect(elementCount).toBe(4);
    expect(pieces).toEqual([
      { buffer: data.buffer, byteOffset: 8, elementCount: 4, rows: { length: 2, byteStride: 20 } },
    ]);
    expect(grad[0]!.rows).toBeUndefined();
    const shorter = resolve({ rowLength: 2, data, grad: fakeBuffer(4), length: 2 });
    expect(shorter.data[0]).toMatchObject({ elementCount: 2, rows: { length: 2, byteStride: 20 } });
  });

  test('has no gaps where a stride is a row', () => {
    const data = { buffer: fakeBuffer(4), byteStride: 8 };
    expect(resolve({ rowLength: 2, data }).data).toEqual([
      { buffer: data.buffer, byteOffset: 0, elementCount: 4 },
    ]);
  });

  test('may say what is done to its rows and weights', () => {
    const mask = fakeBuffer(3);
    const lrPerColumn = Float32Array.of(0.5, 2);
    const {
      mask: resolved,
      columns,
      constraint,
    } = resolve({
      rowLength: 2,
      rowMask: mask,
      lrPerColumn,
      constraint: { max: 1 },
    });
    lrPerColumn.fill(9);
    expect([resolved, columns, constraint]).toEqual([
      { buffer: mask, byteOffset: 0, elementCount: 2 },
      [0.5, 2],
      { max: 1 },
    ]);
  });

  test('has rates per column only where the rule takes them', async () => {
    const strange = defineRule({
      name: 'strange',
      wgsl: '// 2026\n// w ← w − √η g\nfn update(w: lane, g: lane) -> lane {\n  return w - h.root * g;\n}',
      options: option.common(0.01),
      scalars: (_, lr) => ({ root: Math.sqrt(lr) }),
      reference: ({ sub, mul }, { w, g, h }) => sub(w, mul(h.root, g)),
    });
    const scaled = [{ ...parameter('w'), rowLength: 2, lrPerColumn: [0, 1] }];
    const errors = [strange(), ftrl()].map((rule) => errorOf(() => resolveConfig({ rule, params: scaled })));
    const messages = (await Promise.all(errors)).map(({ message }) => message);
    expect(messages[0]).toContain('"root" of strange is not proportional to the learning rate');
    expect(messages[1]).toContain('lrPerColumn has a 0, and the learning rate of ftrl is');
    expect(resolveConfig({ rule: sgd(), params: scaled }).groups[0]!.parameters[0]!.columns).toEqual([0, 1]);
  });

  test('may be the front of longer buffers, if it says so', () => {
    const { elementCount, data, grad } = resolve({ data: fakeBuffer(9), grad: fakeBuffer(6), length: 5 });
    expect([elementCount, data[0]!.elementCount, grad[0]!.elementCount]).toEqual([5, 5, 5]);
    const pieces = resolve({ data: [fakeBuffer(2), fakeBuffer(2), fakeBuffer(2)], length: 3 }).data;
    expect(pieces.map((piece) => piece.elementCount)).toEqual([2, 1]);
  });

  test('may say how long its rows are, whatever its gradient is', () => {
    expect([resolve({ rowLength: 2 }).rowLength, resolve({}).rowLength]).toEqual([2, undefined]);
    expect(resolve({ rowLength: 2, grad: entries }).rowLength).toBe(2);
  });

  test.for<[string, object]>([
    ['name is ""', { name: '' }],
    ['unknown option "lr"', { lr: 1 }],
    ['dtype is "f64"', { dtype: 'f64' }],
    ['data has 4 elements but grad has 3', { grad: fakeBuffer(3) }],
    ['length is 4; give an integer from 1 to 3', { grad: fakeBuffer(3), length: 4 }],
    ['length is 0', { length: 0 }],
    ['rowLength is 0; give the elements per row', { rowLength: 0 }],
    ['rowLength is "2"', { rowLength: '2' }],
    ['4 elements are not a whole number of rows of 3', { rowLength: 3 }],
    ['byteStride is 12, but there is no rowLength', { data: { buffer: fakeBuffer(4), byteStride: 12 } }],
    ['byteStride is 6 bytes', { rowLength: 1, data: { buffer: fakeBuffer(4), byteStride: 6 } }],
    ['byteStride is 4 bytes', { rowLength: 2, data: { buffer: fakeBuffer(4), byteStride: 4 } }],
    [
      'holds 1 elements, less than a row of 2',
      { rowLength: 2, data: { buffer: fakeBuffer(4), size: 4, byteStride: 12 } },
    ],
    ['data has 6 elements but grad has 4', { rowLength: 2, data: { buffer: fakeBuffer(8), byteStride: 12 } }],
    [
      'data[0] holds 3 elements, which are not whole rows of 2',
      {
        rowLength: 2,
        data: [{ buffer: fakeBuffer(3) }, { buffer: fakeBuffer(1) }],
        grad: { buffer: fakeBuffer(5), byteStride: 12 },
      },
    ],
    ['grad.values: byteStride is 8', { rowLength: 1, grad: { indices: fakeBuffer(2), values: apart(4) } }],
    ['rowMask is given without rowLength', { rowMask: fakeBuffer(4) }],
    ['rowMask has 1 numbers for 2 rows', { rowLength: 2, rowMask: fakeBuffer(1) }],
    ['rowMask is given with a sparse grad', { rowLength: 2, grad: entries, rowMask: fakeBuffer(2) }],
    ['rowMask is 7', { rowLength: 2, rowMask: 7 }],
    ['rowMask lies in the buffer of data', { rowLength: 2, data: own, rowMask: own }],
    ['lrPerColumn is given without rowLength', { lrPerColumn: [1] }],
    ['lrPerColumn is [1]; give 2 numbers', { rowLength: 2, lrPerColumn: [1] }],
    ['lrPerColumn is 1; give 2 numbers', { rowLength: 2, lrPerColumn: 1 }],
    ['lrPerColumn[1] is NaN; give a finite number ≥ 0', { rowLength: 2, lrPerColumn: [1, NaN] }],
    ['lrPerColumn[0] is -1', { rowLength: 2, lrPerColumn: [-1, 1] }],
    ['lrPerColumn[0] is 1e-46', { rowLength: 2, lrPerColumn: [1e-46, 1] }],
    [
      'rowLength is 8193; it goes up to 8192',
      { rowLength: 8193, data: fakeBuffer(8193), grad: fakeBuffer(8193), lrPerColumn: [] },
    ],
    ['constraint is "unit"', { constraint: 'unit' }],
    ['unknown option "low"', { constraint: { low: 0 } }],
    ['which limits nothing; give min, max or both', { constraint: {} }],
    ['constraint.min is NaN', { constraint: { min: NaN } }],
    ['constraint.max is Infinity', { constraint: { max: Infinity } }],
    ['constraint.max is 1e+39', { constraint: { max: 1e39 } }],
    ['constraint.min is "0"', { constraint: { min: '0' } }],
    ['constraint.min 2 is above max 1', { constraint: { min: 2, max: 1 } }],
    ['"unit-rows" and rowLength undefined', { constraint: 'unit-rows' }],
    [
      '"unit-rows" and rowLength 65',
      { rowLength: 65, data: fakeBuffer(65), grad: fakeBuffer(65), constraint: 'unit-rows' },
    ],
    ['microGrad is given with a sparse grad', { grad: entries, rowLength: 2, microGrad: fakeBuffer(4) }],
    ['without STORAGE', { data: Object.assign(fakeBuffer(4), { usage: 0x8 }) }],
    ['empty array', { data: [] }],
    ['offset 20 is beyond', { data: { buffer: fakeBuffer(4), offset: 20 } }],
    ['offset 4 + size 16 is beyond', { data: { buffer: fakeBuffer(4), offset: 4, size: 16 } }],
    ['offset is 2 bytes', { data: { buffer: fakeBuffer(4), offset: 2 } }],
    ['size is 0 bytes', { data: { buffer: fakeBuffer(4), size: 0 } }],
    ['data has 3 elements but grad has 4', { data: { buffer: fakeBuffer(4), offset: 4 } }],
  ])('is refused: %s', async ([message, changes]) => {
    const error = await errorOf(() => resolve(changes));
    expect([error.code, error.message]).toEqual(['invalid-parameter', expect.stringContaining(message)]);
  });
});

describe('gradient options are float32 on the GPU', () => {
  test.for<[string, object]>([
    ['maxGradNorm is 1e-46', { maxGradNorm: 1e-46 }],
    ['maxGradNorm is 1e+39', { maxGradNorm: 1e39 }],
    ['maxGradValue is 1e-40', { maxGradValue: 1e-40 }],
    ['maxGradValue is -1; give a number > 0', { maxGradValue: -1 }],
    ['maxGradValue is NaN', { minGradValue: -1, maxGradValue: NaN }],
    ['maxGradValue is -Infinity', { minGradValue: -1, maxGradValue: -Infinity }],
    ['minGradValue is "1"', { minGradValue: '1' }],
    ['minGradValue is null', { minGradValue: null }],
    ['minGradValue is NaN; give a number that float32 can hold, or -Infinity', { minGradValue: NaN }],
    ['minGradValue is Infinity', { minGradValue: Infinity }],
    ['minGradValue is 1e-40', { minGradValue: 1e-40 }],
    ['minGradValue is 2 and maxGradValue 1', { minGradValue: 2, maxGradValue: 1 }],
    ['minGradValue is 1 and maxGradValue 1', { minGradValue: 1, maxGradValue: 1 }],
    ['minGradValue is 1 and maxGradValue 1.00000001', { minGradValue: 1, maxGradValue: 1.00000001 }],
    ['gradScale is 1e-46', { gradScale: 1e-46 }],
    ['gradScale is 1e+39', { gradScale: 1e39 }],
    ['lossScale is 1e+39', { lossScale: 1e39 }],
    ['lossScale is Infinity', { lossScale: Infinity }],
    ['init is 1e-46', { lossScale: { init: 1e-46 } }],
    ['growthFactor is 1.00000001', { lossScale: { growthFactor: 1.00000001 } }],
    ['growthFactor is 1e+39', { lossScale: { growthFactor: 1e39 } }],
    ['backoffFactor is 1e-46', { lossScale: { backoffFactor: 1e-46 } }],
    ['backoffFactor is 0.99999999', { lossScale: { backoffFactor: 0.99999999 } }],
    ['growthInterval is 4294967296', { lossScale: { growthInterval: 2 ** 32 } }],
    ['growthInterval is 1.5', { lossScale: { growthInterval: 1.5 } }],
    ['maxConsecutiveSkips is 4294967296', { maxConsecutiveSkips: 2 ** 32 }],
    ['gradScale is 1e-30 and lossScale 1e+30', { gradScale: 1e-30, lossScale: 1e30 }],
    ['gradScale is 1e+30 and lossScale 1e-30', { gradScale: 1e30, lossScale: { init: 1e-30 } }],
  ])('%s', async ([message, options]) => {
    const error = await errorOf(() => resolveGradientOptions(options));
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(message)]);
  });

  test('what they hold is taken', () => {
    const options = {
      maxGradNorm: 3e38,
      maxGradValue: Infinity,
      gradScale: 2 ** -126,
      maxConsecutiveSkips: Infinity,
    };
    expect(resolveGradientOptions(options)).toMatchObject(options);
    expect(resolveGradientOptions({ maxGradValue: 2 })).toMatchObject({ minGradValue: -2, maxGradValue: 2 });
    expect(resolveGradientOptions({ minGradValue: 0 })).toMatchObject({
      minGradValue: 0,
      maxGradValue: Infinity,
    });
    const negative = { minGradValue: -3, maxGradValue: -1 };
    expect(resolveGradientOptions(negative)).toMatchObject(negative);
    const oneSided = { minGradValue: -Infinity, maxGradValue: 0 };
    expect(resolveGradientOptions(oneSided)).toMatchObject(oneSided);
    expect(resolveGradientOptions({}).minGradValue).toBe(-Infinity);
    expect(resolveGradientOptions({ lossScale: 'dynamic' }).dynamic).toEqual({
      init: 65_536,
      growthFactor: 2,
      backoffFactor: 0.5,
      growthInterval: 2000,
    });
    expect(resolveKernelOptions(undefined)).toEqual({});
  });

  test('a gradScale that is set, together with the loss scale', async () => {
    expect(checkGradScale(1e-30, 1)).toBe(1e-30);
    expect((await errorOf(() => checkGradScale(1e-30, 1e30))).message).toContain('nearer to each other');
    expect((await errorOf(() => checkGradScale(1e39))).message).toContain('gradScale is 1e+39');
  });
});
