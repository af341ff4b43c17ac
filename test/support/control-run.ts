import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import {
  type GradientOptions,
  resolveGradientOptions,
} from '../../src/engine/input/options/gradient-options.js';
import { BindGroups } from '../../src/gpu/bind-groups.js';
import { pageLayout } from '../../src/kernel/compose-rule.js';
import { rowLayout } from '../../src/kernel/row.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import type { PlanTensor } from '../../src/plan/pieces.js';
import { planReduction } from '../../src/plan/reduction.js';
import type { RisingRate } from '../../src/rules/declaring/declaration.js';
import type { Rule } from '../../src/rules/rule.js';
import { planControlStage } from '../../src/stages/control/control-stage.js';
import { Control } from '../../src/stages/control/control.js';
import { type ControlHead, parseHead } from '../../src/stages/control/head.js';
import { reductionFacts } from '../../src/stages/control/reduction-facts.js';
import { rateOffset, rateWords, writeSettings } from '../../src/stages/control/slot.js';
import { parseCount } from '../../src/stages/control/step-records.js';
import { RowRing } from '../../src/stages/row-ring.js';
import { copyStorage } from './read-storage.js';

/** A control stage by itself: a ring of rows in front of it, and nothing behind it. */
export function makeControlRun(
  device: GPUDevice,
  track: Track,
  rule: Rule,
  tensors: readonly PlanTensor<GPUBuffer>[],
  options: GradientOptions,
) {
  const layout = layoutOf(rule);
  const row = rowLayout(layout);
  const resolved = resolveGradientOptions(options);
  const rowCount = Math.max(...tensors.map((tensor) => tensor.row)) + 1;
  const pagesLayout = device.createBindGroupLayout({
    entries: pageLayout(row).map((buffer, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer,
    })),
  });
  const ring = track(new RowRing(device, row, true, rowCount, pagesLayout, (make) => make(), 'test'));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const lossScaleBuffer = track(device.createBuffer({ label: 'test loss scale', size: 4, usage }));
  const control = track(new Control(device, resolved, row, lossScaleBuffer, 'test'));
  const facts = {
    limits: device.limits,
    paddingOf: () => 0,
  };
  const bindGroups = new BindGroups(device);
  const makeStage = (of: readonly PlanTensor<GPUBuffer>[]) => {
    control.reserve(Math.max(...of.map(({ index }) => index)) + 1);
    const reduction = planReduction(of, reductionFacts(device, facts), true);
    const workspace = control.workspace(reduction.workspaceByteLength);
    const parts = { control, tensors: of, reduction, workspace, bindGroups };
    return { reduction, workspace, stage: track(planControlStage(device, parts).make()) };
  };
  const first = makeStage(tensors);

  /** Writes a step's slot and encodes the stage, then whatever else. */
  function step(
    stage = first.stage,
    isActive: (row: number) => boolean = () => true,
    ratesOf: (row: number) => readonly RisingRate[] = () => layout.corrections.map(({ rate }) => rate),
    also: (encoder: GPUCommandEncoder) => void = () => {},
  ): void {
    const active = Uint8Array.from({ length: rowCount }, (_, k) => Number(isActive(k)));
    ring.take(undefined, active, (view, wordOfRow) => {
      writeSettings(view, 0, resolved, resolved.gradScale, ring.slot);
      for (let k = 0; k < rowCount; k++) {
        row.struct.write(view, wordOfRow(k), { is_active: active[k]!, t_count: 7, t: 7, grad_multiplier: 7 });
        view.u32.set(rateWords(ratesOf(k)), rateOffset(row, ring.slot, k) / 4);
      }
    });
    const encoder = device.createCommandEncoder({ label: 'test' });
    const pass = encoder.beginComputePass({ label: 'test' });
    stage.encode(pass, ring);
    pass.end();
    also(encoder);
    device.queue.submit([encoder.finish()]);
  }

  /** The words of the present slot's rows after a step. */
  async function stepAndReadRows(...args: Parameters<typeof step>) {
    const copy = await copyStorage(device, ring.slot.byteLength);
    const [stage, isActive, ratesOf] = args;
    step(stage, isActive, ratesOf, (encoder) => copy.encode(encoder, ring.slots, ring.slotOffset()[0]));
    const words = await copy.read();
    const floats = new Float32Array(words.buffer);
    return Array.from({ length: rowCount }, (_, k) => {
      const page = ring.slot.rows + row.pageByteLength * Math.floor(k / row.rowsPerPage);
      const base = (page + row.struct.byteLength * (k % row.rowsPerPage)) / 4;
      const number = (name: string) => floats[base + row.struct.wordOf(name)]!;
      return {
        isActive: words[base + row.struct.wordOf('is_active')] !== 0,
        count: words[base + row.struct.wordOf('t_count')]!,
        t: number('t'),
        multiplier: number('grad_multiplier'),
        corrections: row.corrections.map(number),
      };
    });
  }

  const readHead = async (): Promise<ControlHead> =>
    parseHead((await readBuffer(device, control.headBuffer)).buffer);

  /** The count of a tensor. */
  async function readCount(index: number): Promise<number> {
    const { buffer, byteOffset, byteLength } = control.recordSpan(index);
    const words = await readBuffer(device, buffer);
    return parseCount(words.buffer.slice(byteOffset, byteOffset + byteLength));
  }

  return { ...first, control, makeStage, step, stepAndReadRows, readHead, readCount };
}
