/**
 * The bars that bitsandbytes sets its own 8-bit optimizers (`test_optimizer8bit` of its tests/test_optim.py, read in November 2026): 50
 * steps over 1024 × {32, 1024, 4097}, beside an optimizer that keeps its state in float32. Behind each step both go on from the same
 * weights and the same state, so that what is measured is what one step's rounding does.
 */
import { expect, inject } from 'vitest';
import { Optimizer, type Rule, adam, lion, momentum, rmsprop } from '../../src/index.js';
import { createRandom, sampleNormals } from '../../lab/random.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { makeBuffer } from '../support/tensors.js';

const ROWS = 1024;
const STEPS = 50;
const [FIRST, ...OTHERS] = [32, 1024, 4097] as const;
/** Mean difference of the weights, absolute and relative. */
const MEAN_ERROR = 6e-5;
const MEAN_RELATIVE_ERROR = 6e-4;
/** Elements of the state that may be further off than that. */
const FEW = 20;
/** The largest one takes minutes where others use the machine. */
const LIMIT_MS = 900_000;
const RTOL = 3e-3;
const ATOL = 1e-3;

/** As bitsandbytes makes them. */
const RULES: Record<string, () => Rule> = {
  adam: () => adam(),
  lion: () => lion(),
  momentum: () => momentum({ lr: 0.01, momentum: 0.9 }),
  rmsprop: () => rmsprop({ lr: 0.01, alpha: 0.9 }),
};

for (const [name, makeRule] of drawn(Object.entries(RULES), 4)) {
  // The largest one takes minutes: one rule tells whether size matters.
  for (const columns of inject('all') && name === 'adam' ? [FIRST, ...OTHERS] : [FIRST]) {
    gpuTest(
      `int8 state of ${name} meets the bars of bitsandbytes: ${ROWS} × ${columns}`,
      async ({ device, track }) => {
        const uniform = createRandom(inject('seed') + columns);
        const elementCount = ROWS * columns;
        const draw = (deviation: number) => sampleNormals(uniform, elementCount, deviation);
        const weights = draw(0.1);
        const make = async (stateDtype: 'f32' | 'int8') => {
          const data = makeBuffer(device, track, weights);
          const params = [{ name: 'w', data, grad }];
          const optimizer = track(await Optimizer.create(device, { rule: makeRule(), params, stateDtype }));
          return { data, optimizer };
        };
        const grad = makeBuffer(device, track, new Float32Array(elementCount));
        const whole = await make('f32');
        const few = await make('int8');
        const slots = Object.keys((await few.optimizer.stateDict()).state['w']!);
        expect(slots.length).toBeGreaterThan(0);
        for (let step = 1; step <= STEPS; step++) {
          device.queue.writeBuffer(grad, 0, draw(0.01));
          whole.optimizer.step();
          few.optimizer.step();
          const [want, got] = await Promise.all([
            whole.optimizer.readParam('w'),
            few.optimizer.readParam('w'),
          ]);
          let error = 0;
          let relative = 0;
          // Of millions of elements, iterators would take most of the time.
          for (let i = 0; i < elementCount; i++) {
            const off = Math.abs(want[i]! - got[i]!);
            error += off;
            relative += off / (Math.abs(want[i]!) + 1e-9);
          }
          expect(error / elementCount, `step ${step}`).toBeLessThan(MEAN_ERROR);
          expect(relative / elementCount, `step ${step}, relative`).toBeLessThan(MEAN_RELATIVE_ERROR);
          for (const slot of slots) {
            const [exact, kept] = await Promise.all([
              whole.optimizer.readState('w', slot as 'exp_avg'),
              few.optimizer.readState('w', slot as 'exp_avg'),
            ]);
            let far = 0;
            for (let i = 0; i < elementCount; i++) {
              if (!(Math.abs(exact[i]! - kept[i]!) <= ATOL + RTOL * Math.abs(exact[i]!))) far++;
            }
            expect(far, `${slot} behind step ${step}`).toBeLessThan(FEW);
            whole.optimizer.writeState('w', slot, kept);
          }
          device.queue.writeBuffer(few.data, 0, want);
        }
      },
      LIMIT_MS,
    );
  }
}
