/** One idea of evaluation: `eval` and `train` serve EMA, SWA and schedule-free rules alike; `swapEma` is a name for it. */
import { expect, inject } from 'vitest';
import {
  Optimizer,
  type OptimizerConfig,
  OptimizerError,
  ParameterArena,
  adam,
  scheduleFreeAdamw,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

const LENGTHS = [5, 130, 1];

/** What evaluates with other weights than it trains, and the slot that holds them, if one does. */
const AVERAGED: readonly (readonly [
  string,
  Omit<OptimizerConfig, 'params' | 'groups'>,
  string | undefined,
])[] = [
  ['ema', { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 } }, 'ema'],
  ['ema of controlled steps', { rule: adam(), ema: { decay: 0.9 }, skipNonFinite: true }, 'ema'],
  ['swa', { rule: sgd({ lr: 0.1 }), swa: { start: 1, period: 1 } }, 'swa'],
  ['scheduleFreeSgd', { rule: scheduleFreeSgd({ lr: 0.1 }) }, undefined],
  ['scheduleFreeAdamw', { rule: scheduleFreeAdamw({ lr: 0.1 }), maxGradNorm: 1e9 }, undefined],
];

async function makeRun(
  device: GPUDevice,
  track: Track,
  config: Omit<OptimizerConfig, 'params' | 'groups'>,
  random = new Random(inject('seed')),
) {
  const params = LENGTHS.map((length, k) =>
    makeParameter(device, track, `w${k}`, random.weights(length), random.gradients(length)),
  );
  const optimizer = track(await Optimizer.create(device, { ...config, params }));
  return { params, optimizer, read: () => readAll(optimizer) };
}

const readAll = (optimizer: Optimizer) => Promise.all(LENGTHS.map((_, k) => optimizer.readParam(`w${k}`)));

function expectSame(got: readonly Float32Array[], want: readonly Float32Array[], what: string): void {
  for (const [k, values] of want.entries())
    expect(bitDifference(got[k]!, values), `${what}: w${k}`).toBeUndefined();
}

for (const [title, config, slot] of AVERAGED) {
  gpuTest(`${title}: eval is the average, and train comes back`, async ({ device, track }) => {
    const { optimizer, read } = await makeRun(device, track, config);
    for (let step = 0; step < 4; step++) optimizer.step();
    const trained = read();
    const averages = slot && Promise.all(LENGTHS.map((_, k) => optimizer.readState(`w${k}`, slot)));
    optimizer.eval();
    const evaluated = read();
    optimizer.eval();
    const again = read();
    optimizer.train();
    const back = read();
    optimizer.train();
    optimizer.step();
    expectSame(await again, await evaluated, 'eval twice');
    expect(bitDifference((await evaluated)[1]!, (await trained)[1]!)).toBeDefined();
    if (averages) {
      expectSame(await evaluated, await averages, 'average');
      expectSame(await back, await trained, 'trained');
    }
  });

  gpuTest(`${title}: an encoder that is dropped evaluates nothing`, async ({ device, track }) => {
    const { optimizer, read } = await makeRun(device, track, config);
    for (let step = 0; step < 4; step++) optimizer.step();
    const trained = await read();
    optimizer.eval(device.createCommandEncoder());
    expectSame(await read(), trained, 'not submitted');
    optimizer.train();
    expectSame(await read(), trained, 'nothing to take back');
    // The same in an encoder of the caller's, and then once more for real.
    optimizer.eval(device.createCommandEncoder());
    const encoder = device.createCommandEncoder();
    optimizer.train(encoder);
    device.queue.submit([encoder.finish()]);
    expectSame(await read(), trained, 'nothing to take back in an encoder');
    const entering = device.createCommandEncoder();
    optimizer.eval(entering);
    device.queue.submit([entering.finish()]);
    expect(bitDifference((await read())[1]!, trained[1]!)).toBeDefined();
    optimizer.train();
    optimizer.step();
  });

  gpuTest(`${title}: commands count in the order of their submission`, async ({ device, track }) => {
    const { optimizer, read } = await makeRun(device, track, config);
    for (let step = 0; step < 3; step++) optimizer.step();
    const trained = await read();
    const [leaving, entering] = [device.createCommandEncoder(), device.createCommandEncoder()];
    optimizer.eval();
    const evaluated = await read();
    optimizer.eval(entering);
    optimizer.train(leaving);
    device.queue.submit([leaving.finish(), entering.finish()]);
    if (slot) expectSame(await read(), evaluated, 'submitted last');
    else expect(bitDifference((await read())[1]!, trained[1]!)).toBeDefined();
    optimizer.train();
    optimizer.step();
  });

  gpuTest(
    `${title}: weights are brought back even if the first way back was dropped`,
    async ({ device, track }) => {
      const { optimizer, read } = await makeRun(device, track, config);
      for (let step = 0; step < 3; step++) optimizer.step();
      const trained = await read();
      optimizer.eval();
      const evaluated = await read();
      optimizer.train(device.createCommandEncoder());
      expectSame(await read(), evaluated, 'not submitted');
      optimizer.train();
      const back = await read();
      if (slot) expectSame(back, trained, 'trained');
      else expect(bitDifference(back[1]!, evaluated[1]!)).toBeDefined();
    },
  );

  gpuTest(
    `${title}: nothing that needs the trained weights is taken meanwhile`,
    async ({ device, track }) => {
      const { optimizer, read } = await makeRun(device, track, config);
      optimizer.step();
      optimizer.step();
      const dict = await optimizer.stateDict();
      const group = () => ({ params: [makeParameter(device, track, 'late', [1], [1])] });
      for (const swap of slot === 'ema'
        ? [() => optimizer.eval(), () => optimizer.swapEma()]
        : [() => optimizer.eval()]) {
        const trained = read();
        swap();
        const evaluated = read();
        const encoder = device.createCommandEncoder();
        for (const [name, call] of Object.entries({
          step: () => optimizer.step(),
          encode: () => optimizer.encode(encoder),
          stateDict: () => optimizer.stateDict(),
          loadStateDict: () => optimizer.loadStateDict(dict),
          loadStateDictSync: () => optimizer.loadStateDictSync(dict),
          addGroup: () => optimizer.addGroup(group()),
          addGroupSync: () => optimizer.addGroupSync(group()),
        })) {
          expect((await errorOf(call)).message, name).toContain('train() first');
        }
        device.queue.submit([encoder.finish()]);
        expectSame(await read(), await evaluated, 'refused');
        optimizer.train();
        if (slot) expectSame(await read(), await trained, 'back');
      }
      expect(optimizer.groups.length).toBe(1);
      expect(await optimizer.stateDict()).toEqual(dict);
    },
  );
}

gpuTest('swapEma goes there and back, and is what eval and train do', async ({ device, track }) => {
  const { optimizer, read } = await makeRun(device, track, { rule: adam({ lr: 0.1 }), ema: { decay: 0.5 } });
  for (let step = 0; step < 3; step++) optimizer.step();
  const trained = await read();
  const average = await Promise.all(LENGTHS.map((_, k) => optimizer.readEma(`w${k}`)));
  optimizer.swapEma();
  expectSame(await read(), average, 'there');
  optimizer.swapEma();
  expectSame(await read(), trained, 'back');
  optimizer.eval();
  optimizer.swapEma();
  expectSame(await read(), trained, 'eval, then back');
  optimizer.swapEma();
  optimizer.eval();
  expectSame(await read(), average, 'there already');
  optimizer.train();
  expectSame(await read(), trained, 'train');
  optimizer.step();
});

gpuTest('training is the same with an evaluation behind every step', async ({ device, track }) => {
  for (const [, config, slot] of AVERAGED) {
    if (slot === undefined) continue;
    const [plain, evaluated] = [await makeRun(device, track, config), await makeRun(device, track, config)];
    for (let step = 0; step < 4; step++) {
      plain.optimizer.step();
      evaluated.optimizer.eval();
      evaluated.optimizer.train();
      evaluated.optimizer.step();
    }
    expectSame(await evaluated.read(), await plain.read(), slot);
    expect(await evaluated.optimizer.stateDict()).toEqual(await plain.optimizer.stateDict());
  }
});

gpuTest('an arena, and weights in pieces, are exchanged to the last element', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const arena = track(await ParameterArena.create(device, { a: { shape: [7] }, b: { shape: [65] } }));
  const pieces = makeBuffer(device, track, random.weights(64));
  const split = {
    name: 'split',
    data: [
      { buffer: pieces, offset: 4, size: 20 },
      { buffer: pieces, offset: 28, size: 112 },
    ],
    grad: makeBuffer(device, track, random.gradients(33)),
  };
  const params = [...arena.params, split];
  const optimizer = track(
    await Optimizer.create(device, { rule: adam({ lr: 0.1 }), params, ema: { decay: 0.25 } }),
  );
  for (const name of ['a', 'b']) {
    const { buffer, offset, size } = arena.gradView(name);
    device.queue.writeBuffer(buffer, offset, random.gradients(size / 4));
  }
  optimizer.step();
  const names = ['a', 'b', 'split'];
  const trained = await Promise.all(names.map((name) => optimizer.readParam(name)));
  const average = await Promise.all(names.map((name) => optimizer.readEma(name)));
  optimizer.eval();
  const evaluated = await Promise.all(names.map((name) => optimizer.readParam(name)));
  // While exchanged, the average's place holds the weights that train.
  optimizer.train();
  const back = await Promise.all(names.map((name) => optimizer.readParam(name)));
  for (const [k, name] of names.entries()) {
    expect(bitDifference(evaluated[k]!, average[k]!), name).toBeUndefined();
    expect(bitDifference(back[k]!, trained[k]!), name).toBeUndefined();
  }
});

gpuTest('a tensor that has made no step is evaluated as it is', async ({ device, track }) => {
  for (const [title, config] of AVERAGED) {
    const { params, optimizer, read } = await makeRun(device, track, config);
    const isControlled = config.skipNonFinite === true;
    // Where steps may be skipped, the host does not know that nothing was applied.
    if (isControlled) device.queue.writeBuffer(params[1]!.grad, 0, Float32Array.of(NaN));
    const before = await read();
    optimizer.step({ skip: isControlled ? [] : ['w0'] });
    const trained = await read();
    optimizer.eval();
    const evaluated = await read();
    optimizer.train();
    const back = await read();
    for (const at of [trained, evaluated, back]) {
      expect(bitDifference(at[0]!, before[0]!), title).toBeUndefined();
      if (isControlled) expectSame(at, before, title);
    }
    // From its first step on, it is.
    device.queue.writeBuffer(params[1]!.grad, 0, Float32Array.of(1));
    optimizer.step();
    optimizer.step();
    const averages =
      'ema' in config && Promise.all(LENGTHS.map((_, k) => optimizer.readState(`w${k}`, 'ema')));
    optimizer.eval();
    if (averages) expectSame(await read(), await averages, title);
    optimizer.train();
  }
});

gpuTest('nothing to evaluate with is refused in plain words', async ({ device, track }) => {
  const { optimizer } = await makeRun(device, track, {
    rule: adam(),
    lookahead: { every: 2, alpha: 0.5 },
  });
  for (const call of [() => optimizer.eval(), () => optimizer.train(), () => optimizer.swapEma()]) {
    expect(await errorOf(call)).toBeInstanceOf(OptimizerError);
  }
  optimizer.step();
});

gpuTest('of two averages, the moving one is evaluated', async ({ device, track }) => {
  const config = { rule: sgd({ lr: 1 }), ema: { decay: 0.5 }, swa: { start: 1, period: 1 } };
  const params = [makeParameter(device, track, 'w', [0], [-1])];
  const optimizer = track(await Optimizer.create(device, { ...config, params }));
  for (let step = 0; step < 3; step++) optimizer.step();
  const [ema, swa] = [await optimizer.readState('w', 'ema'), await optimizer.readState('w', 'swa')];
  expect(ema).not.toEqual(swa);
  optimizer.eval();
  expect(await optimizer.readParam('w')).toEqual(ema);
});

gpuTest(
  'the way there may be submitted behind the way back of a run that has changed',
  async ({ device, track }) => {
    const config = { rule: sgd({ lr: 1 }), ema: { decay: 0.5 } };
    const [param, other] = [0, 1].map(() => makeParameter(device, track, 'w', [0], [-1]));
    const optimizer = track(await Optimizer.create(device, { ...config, params: [param!] }));
    for (let step = 0; step < 3; step++) optimizer.step();
    const average = await optimizer.readEma('w');
    const encoder = device.createCommandEncoder();
    optimizer.eval(encoder);
    optimizer.rebind({ w: { grad: other!.grad } });
    optimizer.train();
    device.queue.submit([encoder.finish()]);
    expect(await optimizer.readParam('w')).toEqual(average);
    optimizer.train();
    expect([...(await optimizer.readParam('w'))]).toEqual([3]);
  },
);
