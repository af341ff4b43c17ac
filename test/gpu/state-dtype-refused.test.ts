/** What state in fewer bits cannot be. */
import { expect } from 'vitest';
import {
  Optimizer,
  ReferenceOptimizer,
  adagrad,
  adam,
  loadCheckpoint,
  saveCheckpoint,
  sgd,
  signum,
} from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { FRESH } from '../support/life-pair.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

gpuTest('what it cannot be is refused, and says how it could', async ({ device, track }) => {
  const param = makeParameter(device, track, 'w', new Float32Array(9), new Float32Array(9));
  const create = (given: object) =>
    errorOf(() => Optimizer.create(device, { params: [param], ...given } as never));
  const cases: [object, string, string][] = [
    [
      { rule: adam(), stateDtype: 'f16' },
      'invalid-config',
      'stateDtype is "f16"; give "f32" or "bf16" or "int8" or "int4".',
    ],
    [{ rule: adam(), stateDtype: null }, 'invalid-config', 'stateDtype is null'],
    [{ rule: adam(), stateDtype: 'toString' }, 'invalid-config', 'stateDtype is "toString"'],
    [
      { rule: sgd(), stateDtype: 'bf16' },
      'invalid-config',
      'sgd keeps no state that may be rounded; leave it out',
    ],
    [{ rule: adagrad(), stateDtype: 'bf16' }, 'invalid-config', 'adagrad keeps no state that may be rounded'],
    [
      { rule: signum({ momentum: 0 }), stateDtype: 'bf16' },
      'invalid-config',
      'signum keeps no state that may',
    ],
    [
      { rule: adam(), stateDtype: 'bf16', params: [{ ...param, rowLength: 3, constraint: 'unit-rows' }] },
      'invalid-parameter',
      'has rows of 3 elements and constraint \'unit-rows\', which stateDtype "bf16" takes with rows of a multiple of 2 only',
    ],
    [
      {
        rule: adam(),
        stateDtype: 'bf16',
        params: [
          {
            name: 'cut',
            data: [
              makeBuffer(device, track, new Float32Array(5)),
              makeBuffer(device, track, new Float32Array(7)),
            ],
            grad: makeBuffer(device, track, new Float32Array(12)),
          },
        ],
      },
      'invalid-parameter',
      'parameter "cut" has a buffer for 5 of its elements, and stateDtype "bf16" keeps 4 together; cut it at multiples of 4',
    ],
  ];
  const params = [{ ...param, rowLength: 3 }];
  const mask = makeBuffer(device, track, new Float32Array(3));
  for (const stateDtype of ['int8', 'int4'] as const) {
    const pieces = [66, 62].map((length) => makeBuffer(device, track, new Float32Array(length)));
    const cut = { name: 'cut', data: pieces, grad: makeBuffer(device, track, new Float32Array(128)) };
    const only = `which stateDtype "${stateDtype}" takes with rows of a multiple of 64 only; pad the rows`;
    const refused: [object, string][] = [
      [{ ...params[0], rowMask: mask }, `has rows of 3 elements and a rowMask, ${only}`],
      [
        { ...params[0], constraint: 'unit-rows' },
        `has rows of 3 elements and constraint 'unit-rows', ${only}`,
      ],
      [
        { name: 't', data: param.data, rowLength: 3, grad: { indices: mask, values: param.grad } },
        `has rows of 3 elements and a sparse grad, ${only}`,
      ],
      [cut, `has a buffer for 66 of its elements, and stateDtype "${stateDtype}" keeps 64 together`],
    ];
    for (const [given, message] of refused)
      cases.push([{ rule: adam(), stateDtype, params: [given] }, 'invalid-parameter', message]);
  }
  for (const [given, code, message] of cases) {
    const error = await create(given);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  }
  expect(
    () =>
      new ReferenceOptimizer({ rule: sgd(), stateDtype: 'bf16', params: [{ data: new Float32Array(1) }] }),
  ).toThrow('sgd keeps no state that may be rounded');
  const optimizer = track(
    await Optimizer.create(device, { rule: adam(), stateDtype: 'bf16', params: [param] }),
  );
  // What rests has no place among the steps, and is asked for the same.
  for (const call of ['freeze', 'unfreeze'] as const) {
    optimizer[call](['w']);
    const data = [5, 4].map((length) => makeBuffer(device, track, new Float32Array(length)));
    expect((await errorOf(() => optimizer.rebind({ w: { data } }))).message).toContain('has a buffer for 5');
  }
  const table = {
    ...param,
    name: 'table',
    data: makeBuffer(device, track, new Float32Array(9)),
    rowLength: 3,
  };
  const mapped = track(await Optimizer.create(device, { rule: adam(), stateDtype: 'bf16', params: [table] }));
  const [data, grad] = [[9, 6], [15]].map((lengths) => ({
    table: lengths.map((length) => makeBuffer(device, track, new Float32Array(length))),
  }));
  const from = Uint32Array.of(0, 1, 2, FRESH, FRESH);
  const refused = await errorOf(() =>
    mapped.mapRows(['table'], { from, rowCount: 5, data: data!, grad: { table: grad!.table[0]! } }),
  );
  expect(refused.message).toContain('parameter "table" has a buffer for 9 of its elements');
  // Gradients do not say where state is cut, so that nothing else would notice.
  const cutWithin = { table: [3, 6].map((length) => makeBuffer(device, track, new Float32Array(length))) };
  const roomy = { table: makeBuffer(device, track, new Float32Array(15)) };
  const rows = { from: Uint32Array.of(0, 1, 2), rowCount: 3 };
  const ofGrad = await errorOf(() => mapped.mapRows(['table'], { ...rows, data: roomy, grad: cutWithin }));
  expect(ofGrad.message).toContain('parameter "table" has a buffer for 3 of its elements');
  mapped.step();
  expect(await mapped.readState('table', 'step')).toEqual(Float32Array.of(1));
  const given = Array.from({ length: 9 }, (_, k) => (k === 0 ? 3.4e38 : 0));
  expect((await errorOf(() => optimizer.writeState('w', 'exp_avg', given))).message).toContain(
    'value 0 is 3.4e+38; give a magnitude that bf16 holds',
  );
  expect([...(await optimizer.readState('w', 'exp_avg'))]).toEqual(given.map(() => 0));
});

gpuTest(
  'a checkpoint of as many blocks, but of another number of elements, is refused',
  async ({ device, track }) => {
    for (const stateDtype of ['int8', 'int4'] as const) {
      const params = [
        { ...makeParameter(device, track, 'w', new Float32Array(42), new Float32Array(42)), rowLength: 7 },
      ];
      const optimizer = track(await Optimizer.create(device, { rule: adam(), stateDtype, params }));
      const { bytes } = await saveCheckpoint(optimizer, 'bytes', { params: false });
      await loadCheckpoint(optimizer, bytes);
      await optimizer.mapRows(['w'], { from: Uint32Array.of(0, 1, 2), rowCount: 3 });
      const { code, message } = await errorOf(() => loadCheckpoint(optimizer, bytes));
      expect(code).toBe('invalid-state-dict');
      expect(message).toContain('the file has 42 elements in');
    }
  },
);
