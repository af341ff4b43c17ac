import { expect } from 'vitest';
import {
  CONTROL_STATE_BYTE_LENGTH,
  ControlPass,
  SETTINGS_BYTE_LENGTH,
  prepareControl,
} from '../../src/engine/control/control-pass.js';
import { betaWords, powerWords } from '../../src/engine/control/fixed-point.js';
import { resolveGradientOptions } from '../../src/engine/control/settings.js';
import { adam } from '../../src/index.js';
import { gpuTest } from '../support/device.js';
import { oneMinusFraction, stepFraction, toBigInt } from '../support/fixed-point.js';
import { readBuffer } from '../support/parity.js';
import { makeBuffer } from '../support/tensors.js';

const BETAS = [0, 0.5, 0.9, 0.999, 0.999999, 1 - 2 ** -30] as const;
const STARTS = [0, 1, 2, 9, 999, 999_999, 2 ** 24 - 3];
const STEPS = 70;

gpuTest(
  'βᵗ and 1 − βᵗ on the GPU are those of exact integers, from every start',
  async ({ device, track }) => {
    const rules = [0, 2, 4].map((k) => adam({ betas: [BETAS[k]!, BETAS[k + 1]!] }));
    const grad = makeBuffer(device, track, [1, 2, 3, 4, 5]);
    const options = resolveGradientOptions({ skipNonFinite: true });
    const prepared = await prepareControl(
      device,
      rules,
      [{ buffer: grad, byteOffset: 0, byteLength: 20 }],
      options,
    );
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
      BETAS.forEach((beta, k) => {
        const fraction = toBigInt(betaWords(beta));
        let power = start === 0 ? fraction : stepFraction(toBigInt(powerWords(beta, start)), fraction);
        for (let t = 1; t < STEPS; t++) power = stepFraction(power, fraction);
        const words = state.subarray(CONTROL_STATE_BYTE_LENGTH / 4 + 4 * k);
        expect(toBigInt([words[2]!, words[3]!]), `β ${beta} from ${start}`).toBe(power);
        const { offset } = control.outputBinding(Math.floor(k / 2));
        const bits = output.slice(offset! / 4 + 3 + (k % 2), offset! / 4 + 4 + (k % 2));
        expect(new Float32Array(bits.buffer)[0], `β ${beta} from ${start}`).toBe(oneMinusFraction(power));
      });
    }
  },
);
