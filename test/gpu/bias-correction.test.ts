import { expect } from 'vitest';
import { ControlPass } from '../../src/engine/control/control-pass.js';
import { CONTROL_STATE_BYTE_LENGTH, CORRECTION_BYTE_LENGTH } from '../../src/engine/control/control-state.js';
import { SETTINGS_BYTE_LENGTH, prepareControl } from '../../src/engine/control/prepare-control.js';
import { correctionWords } from '../../src/stages/control/fixed-point.js';
import { compile } from '../../src/kernel/compilable.js';
import { resolveGradientOptions } from '../../src/engine/control/settings.js';
import { type Rule, adam, nadam } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import type { RisingRate } from '../../src/rules/declaration.js';
import { gpuTest } from '../support/device.js';
import { oneMinusFraction, risenRate, stepFraction, toBigInt } from '../support/fixed-point.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { makeBuffer } from '../support/tensors.js';

const BETAS = [0, 0.5, 0.9, 0.999, 0.999999, 1 - 2 ** -30] as const;
const RULES: [string, Rule[]][] = [
  ['adam, whose rates are constant', [0, 2, 4].map((k) => adam({ betas: [BETAS[k]!, BETAS[k + 1]!] }))],
  [
    'nadam, whose rate rises',
    [0, 1, 2, 3, 4, 5].map((k) =>
      nadam({ betas: [BETAS[k]!, 0.9], momentumDecay: [0.004, 1, 0][k % 3]!, momentumDecayBase: 0.96 }),
    ),
  ],
];
const STARTS = [0, 1, 2, 9, 999, 999_999, 2 ** 24 - 3];
const STEPS = 70;

/** The four fractions that the GPU keeps of a correction, from its eight words. */
function fractionsOf(words: ArrayLike<number>): [beta: bigint, product: bigint, d: bigint, damped: bigint] {
  const [beta, product, damping, damped] = [0, 2, 4, 6].map((k) => toBigInt([words[k]!, words[k + 1]!]));
  return [beta!, product!, damping!, damped!];
}

/** The same after some steps from a count, in exact integers. */
function advance(rate: RisingRate, start: number): ReturnType<typeof fractionsOf> {
  let [beta, product, damping, damped] = fractionsOf(correctionWords(rate, start));
  for (let t = start + 1; t <= start + STEPS; t++) {
    if (damping > 0n) damped = t === 1 ? damping : stepFraction(damped, damping);
    const now = risenRate(beta, damped);
    product = t === 1 ? now : stepFraction(product, now);
  }
  return [beta, product, damping, damped];
}

for (const [title, rules] of RULES) {
  gpuTest(
    `corrections on the GPU are those of exact integers, from every start: ${title}`,
    async ({ device, track }) => {
      const grad = makeBuffer(device, track, [1, 2, 3, 4, 5]);
      const options = resolveGradientOptions({ skipNonFinite: true });
      const gradients = [{ buffer: grad, byteOffset: 0, byteLength: 20 }];
      const prepared = await compile(device, prepareControl(device, rules, gradients, options));
      const lossScale = makeBuffer(device, track, [0, 0, 0, 0]);
      const control = track(new ControlPass(device, prepared, lossScale, 'test'));
      control.bind();
      const settings = new Float32Array(SETTINGS_BYTE_LENGTH / 4);
      control.writeSettings(settings, 1);
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      const uniform = track(device.createBuffer({ size: SETTINGS_BYTE_LENGTH, usage }));
      device.queue.writeBuffer(uniform, 0, settings);
      const settingsGroup = device.createBindGroup({
        layout: control.settingsLayout,
        entries: [{ binding: 0, resource: { buffer: uniform } }],
      });
      for (const start of STARTS) {
        control.restore({ step: start, skipped: 0, consecutiveSkips: 0, growthTracker: 0, lossScale: 1 });
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (let k = 0; k < STEPS; k++) control.encode(pass, settingsGroup, new Uint32Array(1));
        pass.end();
        device.queue.submit([encoder.finish()]);
        const state = await readBuffer(device, control.stateBuffer);
        const output = await readBuffer(device, control.outputBinding(0).buffer);
        expect(state[0]).toBe(start + STEPS);
        let index = 0;
        rules.forEach((rule, g) => {
          layoutOf(rule).corrections.forEach(({ name, rate }, k) => {
            const what = `${name} with β ${rate.beta}, d ${rate.damping}, from ${start}`;
            const words = state.subarray((CONTROL_STATE_BYTE_LENGTH + CORRECTION_BYTE_LENGTH * index++) / 4);
            const want = advance(rate, start);
            expect(fractionsOf(words), what).toEqual(want);
            const { offset } = control.outputBinding(g);
            const bits = output.slice(offset! / 4 + 3 + k, offset! / 4 + 4 + k);
            expect(new Float32Array(bits.buffer)[0], what).toBe(oneMinusFraction(want[1]));
          });
        });
      }
    },
  );
}
