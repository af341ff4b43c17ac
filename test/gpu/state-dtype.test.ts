/** State in fewer bits: every rule that may, wherever its tensors lie, whatever the numbers. */
import { expect, inject } from 'vitest';
import { Optimizer, ParameterArena, ReferenceOptimizer, type Rule, adam, rmsprop } from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { withSettings } from '../../src/rules/rule.js';
import { bitDifference } from '../../proof/compare.js';
import { checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { exactRule } from '../support/life-pair.js';
import { BLOCK, ROUNDED, isExact } from '../support/state-dtypes.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';
import { checkTogether } from '../support/together.js';

const LENGTHS = [1, 5, 64, 257, 4097];

const mayBeRounded = (rule: Rule): boolean => {
  return layoutOf(withSettings(rule, { stateDtype: 'bf16' })).stateForm.blockLength > 1;
};

const factories = ruleFactories.filter(([, factory]) => mayBeRounded(factory()));
const PLACES = [false, true].flatMap((oneBuffer) =>
  [0, 1, 2, 3].map((offset) => ({ oneBuffer, dataOffset: offset, gradOffset: (offset + 1) % 4 })),
);

for (const stateDtype of drawn(ROUNDED, 1)) {
  // By the seed: each compiles kernels of its own.
  gpuTest(
    `every rule that keeps state that may be rounded is stepped as its twin is: ${stateDtype}`,
    async ({ device, track }) => {
      expect(factories.map(([name]) => name)).toEqual(
        ruleFactories
          .map(([name]) => name)
          .filter((name) => !['sgd', 'adagrad', 'ftrl', 'scheduleFreeSgd'].includes(name)),
      );
      const cases = drawn(factories, 4).flatMap(([name, factory]) =>
        drawn(PLACES, 8).map((place) => ({ name, factory, place })),
      );
      await checkTogether(
        cases,
        ({ name, place }) => `${name} ${JSON.stringify(place)}`,
        async ({ factory, place: { oneBuffer, ...offsets } }) => {
          await checkParity({
            device,
            track,
            rule: factory(),
            averages: { ema: { decay: 0.5 } },
            stateDtype,
            layouts: LENGTHS.map((length) => ({ length, ...offsets })),
            oneBuffer,
            steps: 3,
            random: new Random(inject('seed')),
            boundedElements: 8,
          });
        },
      );
    },
  );
}

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(
    `neighbours share no word of state, in one buffer or an arena: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const random = new Random(inject('seed'));
      const lengths = [5, 3, 4, 8, 7, 1];
      const total = lengths.reduce((sum, length) => sum + length, 0);
      const [weights, gradients] = [random.weights(total), random.gradients(total)];
      const [data, grad] = [makeBuffer(device, track, weights), makeBuffer(device, track, gradients)];
      const spec = Object.fromEntries(lengths.map((length, k) => [`p${k}`, { shape: [length] }]));
      const arena = track(await ParameterArena.create(device, spec));
      let first = 0;
      const firsts = lengths.map((length) => (first += length) - length);
      const own = (values: Float32Array<ArrayBuffer>, k: number) =>
        values.subarray(firsts[k], firsts[k]! + lengths[k]!);
      const together = lengths.map((length, k) => {
        const range = { offset: 4 * firsts[k]!, size: 4 * length };
        return { name: `p${k}`, data: { buffer: data, ...range }, grad: { buffer: grad, ...range } };
      });
      lengths.forEach((_, k) => {
        arena.load(`p${k}`, own(weights, k));
        const { buffer, offset } = arena.params[k]!.grad as Required<GPUBufferBinding>;
        device.queue.writeBuffer(buffer, offset, own(gradients, k));
      });
      const rule = exactRule(device, adam({ lr: 0.1 }));
      for (const params of [together, arena.params]) {
        const optimizer = track(await Optimizer.create(device, { rule, stateDtype, params }));
        const twin = new ReferenceOptimizer({
          rule,
          stateDtype,
          precision: 'f32',
          params: lengths.map((_, k) => ({ name: `p${k}`, data: own(weights, k).slice() })),
        });
        const all = lengths.map((_, k) => own(gradients, k));
        const slot = twin.stateDict().state['p1']!['exp_avg'] ? 'exp_avg' : 'momentum_buffer';
        for (const skip of [[], ['p1'], ['p0', 'p4'], []]) {
          optimizer.step({ skip });
          twin.step(all, { skip });
          optimizer.writeState('p1', slot, [1, 2, 3]);
          const dict = twin.stateDict();
          dict.state['p1']![slot] = Float32Array.of(1, 2, 3);
          twin.loadStateDict(dict);
        }
        const [got, want] = [await optimizer.stateDict(), twin.stateDict()];
        for (const [name, state] of Object.entries(want.state)) {
          for (const [each, values] of Object.entries(state))
            expect(
              bitDifference(got.state[name]![each]!, Float32Array.from(values)),
              `${each} of ${name}`,
            ).toBeUndefined();
          expect(
            bitDifference(await optimizer.readParam(name), Float32Array.from(twin.readParam(name))),
          ).toBeUndefined();
        }
      }
    },
  );
}

for (const stateDtype of drawn(ROUNDED, 1)) {
  gpuTest(
    `tables of rows of whole blocks are stepped by the rows that are named: ${stateDtype}`,
    async ({ device, track }) => {
      if (!isExact(device, stateDtype)) return;
      const rule = exactRule(device, adam({ lr: 0.1 }));
      for (const rowLength of [1, 3, 4].map((times) => times * BLOCK[stateDtype])) {
        const rowCount = 33;
        const indices = Uint32Array.of(0, 7, 8, 7, 32, 31);
        const values = Float32Array.from(
          { length: indices.length * rowLength },
          (_, k) => ((k * 7) % 13) / 8 - 0.5,
        );
        const weights = Float32Array.from({ length: rowCount * rowLength }, (_, k) => ((k * 5) % 11) / 4 - 1);
        const optimizer = track(
          await Optimizer.create(device, {
            rule,
            stateDtype,
            params: [
              {
                name: 'table',
                data: makeBuffer(device, track, weights),
                grad: {
                  indices: makeBuffer(device, track, new Float32Array(indices.buffer)),
                  values: makeBuffer(device, track, values),
                },
                rowLength,
              },
            ],
          }),
        );
        const twin = new ReferenceOptimizer({
          rule,
          stateDtype,
          precision: 'f32',
          params: [{ name: 'table', data: weights, rowLength }],
        });
        for (let step = 0; step < 3; step++) {
          optimizer.step();
          twin.step([{ indices, values }]);
        }
        expect(
          bitDifference(await optimizer.readParam('table'), Float32Array.from(twin.readParam('table'))),
        ).toBeUndefined();
        const [got, want] = [await optimizer.stateDict(), twin.stateDict()];
        for (const [slot, state] of Object.entries(want.state['table']!)) {
          expect(bitDifference(got.state['table']![slot]!, Float32Array.from(state)), slot).toBeUndefined();
        }
      }
    },
  );
}

for (const stateDtype of ['int8', 'int4'] as const) {
  gpuTest(`numbers of any size, and none: ${stateDtype}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const special = [0, -0, NaN, Infinity, -Infinity, 2 ** -126, 2 ** -130, 1e-30, 1e30, 3e38, 1e-20, 1e-17];
    for (const rule of [adam(), rmsprop({ momentum: 0.9, centered: true })]) {
      await checkParity({
        device,
        track,
        rule,
        stateDtype,
        layouts: [7, 128, 2049].map((length) => ({ length, dataOffset: 0, gradOffset: 3 })),
        oneBuffer: false,
        ownBuffers: true,
        steps: 3,
        random,
        boundedElements: 0,
        // Blocks of each, and of many.
        makeGradients: (length, step) =>
          Float32Array.from({ length }, (_, i) =>
            Math.floor(i / 64) % 2 === step % 2 ? random.pick(special) : special[(i >> 7) % special.length]!,
          ),
      });
    }
  });

  gpuTest(`kernels of any shape have the same bits: ${stateDtype}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const [weights, gradients] = [random.weights(4_099), random.gradients(4_099)];
    const shapes = [
      {},
      { lanesPerInvocation: 1, consecutive: false },
      { workgroupSize: 3, lanesPerInvocation: 17 },
      { workgroupSize: 64, lanesPerInvocation: 256, consecutive: false },
    ];
    const dicts = shapes.map(async (kernel) => {
      const params = [makeParameter(device, track, 'w', weights, gradients)];
      const optimizer = track(await Optimizer.create(device, { rule: adam(), stateDtype, params, kernel }));
      for (let k = 0; k < 3; k++) optimizer.step();
      return optimizer.stateDict();
    });
    const [first, ...others] = (await Promise.all(dicts)).map(({ state }) => state['w']!);
    for (const other of others) {
      for (const slot of ['exp_avg', 'exp_avg_sq'])
        expect(bitDifference(other[slot]!, first![slot]!), slot).toBeUndefined();
    }
  });
}
