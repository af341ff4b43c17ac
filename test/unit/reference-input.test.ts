import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import {
  OptimizerError,
  type ReferenceConfig,
  ReferenceOptimizer,
  type ReferenceParameter,
  adam,
  sgd,
} from '../../src/index.js';

const rule = sgd({ lr: 1 });
const make = (config: Partial<ReferenceConfig> = {}) =>
  new ReferenceOptimizer({ rule, params: [{ name: 'w', data: Float64Array.of(1, 2) }], ...config });

describe('a config of the reference', () => {
  test('is taken over at the call: later changes have no effect, but arrays are the caller’s', () => {
    const [data, grad] = [Float64Array.of(1), Float64Array.of(1)];
    const other = Float64Array.of(5);
    const param: ReferenceParameter = { name: 'w', data, grad };
    const group: { params: ReferenceParameter[]; lr: number } = { params: [param], lr: 1 };
    const config: ReferenceConfig = { rule: sgd(), groups: [group], gradScale: 2 };
    const optimizer = new ReferenceOptimizer(config);
    Object.assign(config, { rule: adam(), gradScale: 100, groups: [] });
    Object.assign(group, { lr: 100, params: [] });
    Object.assign(param, { name: 'v', data: other, grad: other });
    grad[0] = 0.25;
    optimizer.step();
    expect([data[0], other[0], optimizer.readParam('w')[0]]).toEqual([0.5, 5, 0.5]);
    expect(Object.isFrozen(optimizer.groups)).toBe(true);
  });

  test('of a table keeps the gradient that it was given', () => {
    const grad = { indices: [0], values: [1], count: 1 };
    const optimizer = make({ params: [{ name: 'w', data: Float64Array.of(1, 2), rowLength: 1, grad }] });
    Object.assign(grad, { indices: [1, 1], count: 0 });
    optimizer.step();
    expect([...optimizer.readParam('w')]).toEqual([0, 2]);
  });

  test('counts inherited properties as own ones, and undefined ones as not given', () => {
    const params = [{ data: Float64Array.of(1) }];
    const inherited = Object.create({
      rule: sgd({ lr: 0.5 }),
      maxGradNorm: 1,
      maxGradValue: undefined,
    }) as ReferenceConfig;
    inherited.groups = [Object.assign(Object.create({ params }) as object, { lr: undefined }) as never];
    inherited.params = undefined as never;
    const optimizer = new ReferenceOptimizer(inherited);
    expect(optimizer.lr).toBe(0.5);
    optimizer.step([[100]]);
    expect(optimizer.readParam('param0')[0]).toBeCloseTo(0.5, 6);
  });

  test.for<[string, () => unknown]>([
    ['the config is null', () => new ReferenceOptimizer(null as never)],
    ['the config is undefined', () => new (ReferenceOptimizer as never as new () => unknown)()],
    ['rule is function adam; call it: adam()', () => make({ rule: adam as never })],
    ['rule is undefined', () => make({ rule: undefined as never })],
    ['unknown option "parms"', () => make({ parms: [] } as never)],
    ['parameter 0 is undefined', () => make({ params: Array(1) as never })],
    ['parameter 1 is 5', () => make({ params: [{ data: new Float32Array(1) }, 5] as never })],
    ['groups[0] is undefined', () => make({ params: undefined as never, groups: Array(1) as never })],
    ['name is 5', () => make({ params: [{ name: 5 as never, data: new Float32Array(1) }] })],
    ['name is ""', () => make({ params: [{ name: '', data: new Float32Array(1) }] })],
    ['data is undefined', () => make({ params: [{} as never] })],
    ['data is [1]', () => make({ params: [{ data: [1] as never }] })],
    ['data is a Int32Array', () => make({ params: [{ data: new Int32Array(1) as never }] })],
    ['data is a DataView', () => make({ params: [{ data: new DataView(new ArrayBuffer(4)) as never }] })],
    ['unknown option "gard"', () => make({ params: [{ data: new Float32Array(1), gard: [1] } as never] })],
    [
      'data[1] is 1e+39, beyond float32',
      () => make({ precision: 'f32', params: [{ data: Float64Array.of(1, 1e39) }] }),
    ],
  ])('is refused in plain words: %s', ([message, call]) => {
    expect(call).toThrow(OptimizerError);
    expect(call).toThrow(message);
  });
});

describe('gradients of a step', () => {
  test.for<[string, unknown]>([
    ['the gradients are null', null],
    ['the gradients are 5', 5],
    ['the gradients are "ab"', 'ab'],
    ['the gradients are a Float32Array', new Float32Array(2)],
    ['the gradients are a Map', new Map([['w', [1, 2]]])],
    ['the gradients are function', () => [1, 2]],
    ['the gradient of parameter "w" is undefined', []],
    ['the gradient of parameter "w" is null', [null]],
    ['the gradient of parameter "w" is "ab"', ['ab']],
    ['the gradient of parameter "w" is [1, "2"]', [[1, '2']]],
    ['the gradient of parameter "w" is [', [[, 2]]], // oxlint-disable-line no-sparse-arrays
    ['the gradient of parameter "w" is a BigInt64Array', [new BigInt64Array(2)]],
    ['the gradient of parameter "w" is a DataView', [new DataView(new ArrayBuffer(2))]],
    ['the gradient of parameter "w" has 3 elements; give 2', [[1, 2, 3]]],
    [
      'there are 2 gradients for 1 parameters',
      [
        [1, 2],
        [1, 2],
      ],
    ],
    ['there is a gradient for "v", but the parameters are ["w"]', { v: [1, 2], w: [1, 2] }],
  ])('are refused in plain words, and nothing changes: %s', ([message, grads]) => {
    const optimizer = make();
    expect(() => optimizer.step(grads as never)).toThrow(OptimizerError);
    expect(() => optimizer.step(grads as never)).toThrow(message);
    expect([...optimizer.readParam('w'), optimizer.stats().step]).toEqual([1, 2, 0]);
  });

  test('must be held by float32 where that is the precision, but for what is not finite', () => {
    const optimizer = make({ precision: 'f32' });
    expect(() => optimizer.step([[1, -1e39]])).toThrow('[1] is -1e+39, beyond float32');
    optimizer.step([[1, Infinity]]);
    expect([...optimizer.readParam('w')]).toEqual([0, -Infinity]);
    make().step([[1, 1e39]]);
    const table = make({ precision: 'f32', params: [{ data: new Float32Array(1), rowLength: 1 }] });
    expect(() => table.step([{ indices: [0], values: [1e39] }])).toThrow(
      'values[0] is 1e+39, beyond float32',
    );
  });

  test.for<[string, unknown]>([
    ['is null; give 2 numbers, in a typed array or a plain one, or { indices, values }', null],
    ['is { indices }', { indices: [0] }],
    ['has 1 indices and 3 values', { indices: [0], values: [1, 2, 3] }],
    ['indices[1] is -1; give row numbers', { indices: [0, -1], values: [1, 2] }],
    ['indices[0] is 0.5', { indices: [0.5], values: [1] }],
    ['count is -1', { indices: [0], values: [1], count: -1 }],
  ])('of a table are refused, too: %s', ([message, grad]) => {
    const optimizer = make({ params: [{ name: 'w', data: Float64Array.of(1, 2), rowLength: 1 }] });
    expect(() => optimizer.step([grad as never])).toThrow(message);
    expect([...optimizer.readParam('w')]).toEqual([1, 2]);
  });
});

test('arrays of another realm are as good', () => {
  const realm = createContext({});
  const foreign = (code: string) => runInContext(code, realm) as never;
  const data = foreign('new Float32Array([1, 2])') as Float32Array;
  expect(data).not.toBeInstanceOf(Float32Array);
  const optimizer = new ReferenceOptimizer({
    rule,
    precision: 'f32',
    params: (foreign('(data) => [{ name: "w", data }]') as (given: Float32Array) => never)(data),
  });
  optimizer.step(foreign('[[1, 1]]'));
  optimizer.step(foreign('({ w: new Float64Array([1, 1]) })'), { skip: foreign('new Set()') });
  expect([...data]).toEqual([-1, 0]);
  const dict = optimizer.stateDict();
  optimizer.loadStateDict(dict);
});
