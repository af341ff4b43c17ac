import lanes from '../../shaders/lanes.wgsl?raw';
import philoxWgsl from '../../shaders/philox.wgsl?raw';
import template from '../../shaders/step.wgsl?raw';
import wordsWgsl from '../../shaders/words.wgsl?raw';
import { type Access, PLACE_WGSL, type Codec, composeCodecs } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import type { PipelineSource } from '../gpu/pipelines.js';
import type { StretchAccess } from '../plan/stretch.js';
import {
  composeAverages,
  composeEquation,
  composePage,
  composeVariables,
  pageLayout,
  recordStruct,
  switchConstants,
} from './compose-rule.js';
import type { Masters } from '../codecs/masters.js';
import type { RowLayout } from './row.js';
import type { RuleLayout } from './rule-layout.js';
import { composeSegments, segmentsByteLength } from './segment.js';
import { type KernelShape, shapeConstants } from './shape.js';
import { composeWeights } from './weights.js';
import {
  composeConstraint,
  composeDivision,
  composeLoop,
  composePlaces,
  composeStepping,
  placesIn,
} from './step-rows.js';

/** All that tells a step kernel from another. */
export interface StepVariant {
  readonly layout: RuleLayout;
  readonly row: RowLayout;
  readonly access: StretchAccess;
  /** How many tensors a dispatch steps. */
  readonly together: number;
  /** Whether gradients are clamped by value. */
  readonly isClamped: boolean;
  readonly shape: KernelShape;
}

/** One entry of bind group 0, by role. */
export interface StepBinding {
  readonly role: 'segments' | 'data' | 'grad' | 'state' | 'rows' | 'mask' | 'overflows' | 'record';
  /** Of `state`, the slot; else the name of the variable. */
  readonly name: string;
  /** Of `data` and `grad`: which of the tensors that the dispatch steps; 0 for all others. */
  readonly tensor: number;
  readonly type: GPUBufferBindingType;
  readonly minBindingSize: number;
  /** WGSL type of the variable. */
  readonly wgslType: string;
}

/** The bindings of a kernel's group 0 in order of their numbers; group 1 is a page of rows. */
export function stepBindings({
  layout,
  access,
  together,
}: Omit<StepVariant, 'isClamped' | 'shape' | 'row'>): StepBinding[] {
  const { data, grad, state, gradBinding, dataCodec = f32, gradCodec = f32 } = access;
  const arrayOf = (codec: Codec, mode: Access) => ({
    minBindingSize: codec.itemByteLength(mode),
    wgslType: `array<${codec.arrayType(mode)}>`,
  });
  const bindings: StepBinding[] = [
    {
      role: 'segments',
      name: 'segments',
      tensor: 0,
      type: 'uniform',
      minBindingSize: segmentsByteLength(access, together),
      wgslType: 'Segments',
    },
  ];
  for (let tensor = 0; tensor < together; tensor++) {
    bindings.push({
      role: 'data',
      name: `data_${tensor}`,
      tensor,
      type: 'storage',
      ...arrayOf(dataCodec, data),
      ...(data === 'woven' && { wgslType: 'array<atomic<u32>>' }),
    });
    if (gradBinding === 'none' || gradBinding === 'shared') continue;
    if (gradBinding === 'gathered' && tensor > 0) continue;
    const type = gradBinding === 'read_write' ? 'storage' : 'read-only-storage';
    bindings.push({ role: 'grad', name: `grad_${tensor}`, tensor, type, ...arrayOf(gradCodec, grad) });
  }
  for (const slot of layout.elementSlots) {
    const codec = layout.codecOf(slot);
    bindings.push({ role: 'state', name: slot, tensor: 0, type: 'storage', ...arrayOf(codec, state) });
  }
  for (const role of ['rows', 'mask'] as const) {
    if (!(role === 'rows' ? access.isListed : access.isMasked)) continue;
    const words = { minBindingSize: 4, wgslType: 'array<u32>' };
    bindings.push({ role, name: role, tensor: 0, type: 'read-only-storage', ...words });
  }
  if (access.isCounted) {
    const count = { minBindingSize: 4, wgslType: 'atomic<u32>' };
    bindings.push({ role: 'overflows', name: 'overflow_count', tensor: 0, type: 'storage', ...count });
  }
  if (layout.tensor) {
    const record = { minBindingSize: recordStruct(layout).byteLength, wgslType: 'TensorRecord' };
    bindings.push({ role: 'record', name: 'uniform_tensor', tensor: 0, type: 'uniform', ...record });
  }
  return bindings;
}

const INFINITY_BITS = 0x7f80_0000;

/** The pipeline of a variant. */
export function stepPipeline(variant: StepVariant): PipelineSource {
  const { layout, row, access, isClamped, shape } = variant;
  return {
    label: `webgpu-optim ${layout.rule.name} step`,
    code: composeStep(variant),
    entryPoint: 'step',
    constants: {
      ...shapeConstants(shape),
      ...rowConstants(access),
      CLAMP_GRADIENT: Number(isClamped),
      ...switchConstants(layout.switches),
      ...seedConstants(layout, access),
    },
    bindGroups: [
      stepBindings(variant).map(({ type, minBindingSize }) => ({ type, minBindingSize })),
      pageLayout(row),
    ],
  };
}

/** Values of the `override` constants that say what weights are rounded by. */
function seedConstants(
  { rule: { seed = 0 } }: RuleLayout,
  { isDrawn }: StretchAccess,
): Record<string, number> {
  return isDrawn ? { SEED_LOW: seed % 2 ** 32, SEED_HIGH: Math.floor(seed / 2 ** 32) } : {};
}

/** Values of the `override` constants that say how rows lie; of those that there are none of, nothing. */
export function rowConstants({
  rowLength,
  dataStride,
  gradStride,
}: Pick<StretchAccess, 'rowLength' | 'dataStride' | 'gradStride'>): Record<string, number> {
  return {
    ...(rowLength !== undefined && { ROW_LENGTH: rowLength }),
    ...(dataStride !== undefined && { DATA_STRIDE: dataStride }),
    ...(gradStride !== undefined && { GRAD_STRIDE: gradStride }),
  };
}

/** Declares those of them that say how far rows lie apart. */
export function composeStrides({
  dataStride,
  gradStride,
}: Pick<StretchAccess, 'dataStride' | 'gradStride'>): string {
  return `${dataStride === undefined ? '' : 'override DATA_STRIDE: u32;\n'}${
    gradStride === undefined ? '' : 'override GRAD_STRIDE: u32;\n'
  }`;
}

/**
 * The WGSL of a kernel: generated declarations, the template, and the rule's equation. Switches and shape stay `override`
 * constants, so that kernels that differ only in these share one module.
 */
export function composeStep({
  layout,
  row,
  access,
  together,
}: Omit<StepVariant, 'isClamped' | 'shape'>): string {
  const tensors = Array.from({ length: together }, (_, k) => k);
  const stepping = composeStepping(layout, access);
  const variables = stepBindings({ layout, access, together }).map(
    ({ role, name, type, wgslType }, binding) => {
      const space =
        type === 'uniform' ? 'uniform' : `storage, ${type === 'read-only-storage' ? 'read' : 'read_write'}`;
      return `@group(0) @binding(${binding}) var<${space}> ${role === 'state' ? `${name}_array` : name}: ${wgslType};`;
    },
  );
  return `// webgpu-optim: ${layout.rule.name}
${composeVariables(layout, row)}
${PLACE_WGSL}
${composeSegments(access, together)}
${variables.join('\n')}
var<private> segment: Segment;

${composePage(row)}
fn fetch_tensor() {
${layout.tensor ? '  tensor = uniform_tensor;\n' : ''}}

${composeState(layout, access)}
${composeStrides(access)}${composePlaces(access)}
${stepping.wgsl}${composeConstraint(access)}${composeDrawing(access)}${composeOverflows(access, layout)}
${tensors.map((k) => composeTensor(k, layout, access, stepping.call)).join('\n')}
fn step_tensors(workgroup: u32, local_index: u32) {
${tensors.map((k) => `  step_tensor_${k}(workgroup, local_index);\n`).join('')}${access.isCounted ? '  add_overflows();\n' : ''}}

${lanes}
${composeEquation(layout)}
${composeAverages(layout)}
${template}`;
}

/** The random words that a lane of weights is rounded by: they follow from its place in the tensor, and the tensor's steps. */
function composeDrawing({ isDrawn, dataCodec }: StretchAccess): string {
  if (!isDrawn) return '';
  return `override SEED_LOW: u32 = 0u;
override SEED_HIGH: u32 = 0u;

${wordsWgsl}
${philoxWgsl}
${dataCodec!.random!.wgsl}
fn random_words(at: Place) -> vec4<u32> {
  let lane_number = segment.first_lane + at.element / 4u;
  let counter = vec4<u32>(lane_number, h.t_count, segment.stream_low, segment.stream_high);
  return philox(counter, vec2<u32>(SEED_LOW, SEED_HIGH));
}
`;
}

/** Counts weights that are finite as they are computed, and not as they are kept; of those that were so before, none. */
function composeOverflows({ isCounted, dataCodec }: StretchAccess, { masters }: RuleLayout): string {
  if (!isCounted) return '';
  const least = new Uint32Array(Float32Array.of(dataCodec!.overflowsFrom!).buffer)[0]!;
  return `/// Of an invocation, by their place in a lane.
var<private> overflow_counts: vec4<u32>;

fn magnitudes(weight: lane) -> vec4<u32> {
  return bitcast<vec4<u32>>(weight) & vec4<u32>(0x7fffffffu);
}

fn overflows(weight: lane) -> vec4<bool> {
  return (magnitudes(weight) - vec4<u32>(${least}u)) < vec4<u32>(${INFINITY_BITS - least}u);
}

fn count_overflows(at: Place, before: lane, after: lane) {
  let most = max(magnitudes(after).xy, magnitudes(after).zw);
  // A loop, for it is rare: a wave on a CPU would go through what an \`if\` has without effect.
  for (var is_near = max(most.x, most.y) >= ${least}u; is_near; is_near = false) {
    let is_own = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(at.valid);
    let is_new = overflows(after) & is_own${masters ? ' & !overflows(before)' : ''};
    overflow_counts += select(vec4<u32>(0u), vec4<u32>(1u), is_new);
  }
}

fn add_overflows() {
  let counts = overflow_counts;
  let count = (counts.x + counts.y) + (counts.z + counts.w);
  if (count != 0u) {
    atomicAdd(&overflow_count, count);
  }
}
`;
}

function composeState(
  { elementSlots, laneSlots, codecOf, masters }: RuleLayout,
  access: StretchAccess,
): string {
  const { state, dataCodec, gradCodec } = access;
  const others = [dataCodec, gradCodec].filter((codec) => codec !== undefined);
  const at = (slot: string) => ({
    array: `${slot}_array`,
    base: 'segment.state_base',
    access: state,
    elementCount: 'segment.element_count',
  });
  const loads = elementSlots.map(
    (
      slot,
    ) => `${codecOf(slot).declare?.(`${slot}_array`) ?? ''}fn load_${slot}(at: Place) -> lane {\n${codecOf(slot).load(at(slot))}\n}\n
fn store_${slot}(at: Place, value: lane) {\n${codecOf(slot).store(at(slot))}\n}\n`,
  );
  return `${composeCodecs([...elementSlots.map(codecOf), ...others])}${masters?.wgsl ?? ''}${loads.join('\n')}
fn load_state(at: Place) {
${laneSlots.map((slot) => `  ${slot} = load_${slot}(at);\n`).join('')}}

fn store_state(at: Place) {
${laneSlots.map((slot) => `  store_${slot}(at, ${slot});\n`).join('')}}
`;
}

/** What is kept of a lane of weights more exactly; of rows that are left alone, what was. */
function keptOf(masters: Masters, { isMasked, isListed }: StretchAccess): string {
  const kept = masters.kept('value');
  return isMasked && !isListed ? `select(load_${masters.slot}(at), ${kept}, active_in(at))` : kept;
}

/**
 * Access to one tensor, and the loop over an invocation's share of it. The loop stands once per tensor, because WGSL can
 * choose an array at run time only by a branch at each access.
 */
function composeTensor(k: number, { masters }: RuleLayout, access: StretchAccess, call: string): string {
  const { data, grad, gradBinding, dataCodec = f32, gradCodec = f32 } = access;
  const ofData = {
    array: `data_${k}`,
    base: 'segment.data_base',
    access: data,
    stride: 'DATA_STRIDE',
    isAtomic: data === 'woven',
    ...(access.isDrawn && { random: 'random_words(at)' }),
  };
  const gradArray = { shared: `data_${k}`, gathered: 'grad_0' }[gradBinding as string] ?? `grad_${k}`;
  const ofGrad = {
    array: gradArray,
    base: 'segment.grad_base',
    access: grad,
    stride: 'GRAD_STRIDE',
    isAtomic: gradBinding === 'shared' && data === 'woven',
  };
  const { at, gradAt } = placesIn(access);
  const given = `before, gradient${call === 'stepped' ? '' : ', at'}`;
  const stored = access.isCounted
    ? `let after = ${call}(${given});
    count_overflows(at, before, after);
    store_data_${k}(at, after);`
    : `store_data_${k}(at, ${call}(${given}));`;
  // In the order in which rules use them: on a CPU, what is loaded too early takes the registers of what follows.
  const body = `    let at = ${at};
    let gradient = load_grad_${k}(${gradAt});
    load_state(at);
    let before = load_data_${k}(at);
    ${stored}
    store_state(at);`;
  return `${composeWeights(`data_${k}`, dataCodec, ofData, masters)}
fn store_data_${k}(at: Place, value: lane) {
${masters ? `  store_${masters.slot}(at, ${keptOf(masters, access)});\n` : ''}${dataCodec.store(ofData)}
}

fn load_grad_${k}(at: Place) -> lane {
${gradBinding === 'none' ? '  return lane(0.0);' : gradCodec.load(ofGrad)}
}

${composeDivision(k, access)}fn step_tensor_${k}(workgroup: u32, local_index: u32) {
  segment = segments.tensor_${k};
${composeLoop(k, body, access)}
}
`;
}
