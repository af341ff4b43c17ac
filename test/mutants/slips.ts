/** Slips for `npm run mutants`; those of the rules' WGSL are made by test/gpu/mutation.test.ts. */
import { adapterSlips } from './adapters.js';
import { arenaSlips } from './arena.js';
import { callPartSlips } from './calls-apart.js';
import { checkpointSlips } from './checkpoint.js';
import { dtypeSlips } from './dtypes.js';
import { editingSlips } from './calls-editing.js';
import { callSlips } from './calls.js';
import { codecSlips } from './codecs.js';
import { fleetSlips } from './fleet.js';
import { gpuSlips } from './gpu.js';
import { inputSlips } from './input.js';
import { kernelSlips } from './kernel.js';
import { matrixSlips } from './matrix.js';
import { masterSlips } from './masters.js';
import { natsSlips } from './nats.js';
import { normSlips } from './norms.js';
import { planShareSlips } from './plan-shares.js';
import { planSlips } from './plan.js';
import { referenceSlips } from './reference.js';
import { runPartSlips } from './run-parts.js';
import { runSlips } from './run.js';
import { savedSlips } from './saved.js';
import { safetensorsSlips } from './safetensors.js';
import { scheduleSlips } from './schedules.js';
import { shaderSlips } from './shaders.js';
import type { Slip } from './slip.js';
import { asideSlips } from './stages-aside.js';
import { besideSlips } from './stages-beside.js';
import { controlSlips } from './stages-control.js';
import { stageSlips } from './stages.js';
import { tableSlips } from './tables.js';
import { terminalSlips } from './terminal.js';
import { onnxFileSlips } from './onnx-files.js';
import { onnxSlips } from './onnx.js';
import { outerSlips } from './outer.js';
import { overflowSlips } from './overflows.js';
import { wovenSlips } from './woven.js';

export const slips: readonly Slip[] = [
  ...planSlips,
  ...outerSlips,
  ...planShareSlips,
  ...kernelSlips,
  ...codecSlips,
  ...dtypeSlips,
  ...masterSlips,
  ...gpuSlips,
  ...inputSlips,
  ...savedSlips,
  ...stageSlips,
  ...controlSlips,
  ...besideSlips,
  ...asideSlips,
  ...runSlips,
  ...runPartSlips,
  ...callSlips,
  ...callPartSlips,
  ...editingSlips,
  ...scheduleSlips,
  ...arenaSlips,
  ...referenceSlips,
  ...shaderSlips,
  ...adapterSlips,
  ...onnxFileSlips,
  ...onnxSlips,
  ...tableSlips,
  ...wovenSlips,
  ...overflowSlips,
  ...safetensorsSlips,
  ...normSlips,
  ...matrixSlips,
  ...checkpointSlips,
  ...terminalSlips,
  ...fleetSlips,
  ...natsSlips,
];
