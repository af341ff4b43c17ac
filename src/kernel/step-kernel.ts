import lanes from '../../shaders/lanes.wgsl?raw';
import template from '../../shaders/step.wgsl?raw';
import { PLACE_WGSL, type Codec } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import type { PipelineSource } from '../gpu/pipelines.js';
import type { Access } from '../plan/pieces.js';
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
import type { RowLayout } from './row.js';
import type { RuleLayout } from './rule-layout.js';
import { type KernelShape, shapeConstants } from './shape.js';
import { wordStruct } from './structs.js';

/** What one dispatch covers of one tensor; bases are indices into the bound arrays, `row` is the index within the page. */
export const Segment = wordStruct('Segment', {
  lane_count: 'u32',
  element_count: 'u32',
  data_base: 'u32',
  grad_base: 'u32',
  state_base: 'u32',
  row: 'u32',
});

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
  readonly role: 'segments' | 'data' | 'grad' | 'state' | 'rows' | 'record';
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
  const { data, grad, state, gradBinding, rowLength } = access;
  const arrayOf = (codec: Codec, mode: Access) => ({
    minBindingSize: codec.unitByteLength(mode),
    wgslType: `array<${codec.arrayType(mode)}>`,
  });
  const bindings: StepBinding[] = [
    {
      role: 'segments',
      name: 'segments',
      tensor: 0,
      type: 'uniform',
      minBindingSize: Segment.byteLength * together,
      wgslType: 'Segments',
    },
  ];
  for (let tensor = 0; tensor < together; tensor++) {
    bindings.push({ role: 'data', name: `data_${tensor}`, tensor, type: 'storage', ...arrayOf(f32, data) });
    if (gradBinding === 'none' || gradBinding === 'shared') continue;
    if (gradBinding === 'gathered' && tensor > 0) continue;
    const type = gradBinding === 'read_write' ? 'storage' : 'read-only-storage';
    bindings.push({ role: 'grad', name: `grad_${tensor}`, tensor, type, ...arrayOf(f32, grad) });
  }
  for (const slot of layout.elementSlots) {
    bindings.push({ role: 'state', name: slot, tensor: 0, type: 'storage', ...arrayOf(f32, state) });
  }
  if (rowLength !== undefined) {
    const rows = { minBindingSize: 4, wgslType: 'array<u32>' };
    bindings.push({ role: 'rows', name: 'rows', tensor: 0, type: 'read-only-storage', ...rows });
  }
  if (layout.tensor) {
    const record = { minBindingSize: recordStruct(layout).byteLength, wgslType: 'TensorRecord' };
    bindings.push({ role: 'record', name: 'uniform_tensor', tensor: 0, type: 'uniform', ...record });
  }
  return bindings;
}

/** The pipeline of a variant. */
export function stepPipeline(variant: StepVariant): PipelineSource {
  const { layout, row, access, isClamped, shape } = variant;
  return {
    label: `webgpu-optim ${layout.rule.name} step`,
    code: composeStep(variant),
    entryPoint: 'step',
    constants: {
      ...shapeConstants(shape),
      ...(access.rowLength !== undefined && { ROW_LENGTH: access.rowLength }),
      CLAMP_GRADIENT: Number(isClamped),
      ...switchConstants(layout.switches),
    },
    bindGroups: [
      stepBindings(variant).map(({ type, minBindingSize }) => ({ type, minBindingSize })),
      pageLayout(row),
    ],
  };
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
${Segment.wgsl}
struct Segments {
${tensors.map((k) => `  tensor_${k}: Segment,\n`).join('')}}
${variables.join('\n')}
var<private> segment: Segment;

${composePage(row)}
fn fetch_tensor() {
${layout.tensor ? '  tensor = uniform_tensor;\n' : ''}}

${composeState(layout, access)}
${access.rowLength === undefined ? DENSE : NAMED_ROWS}
${tensors.map((k) => composeTensor(k, access)).join('\n')}
fn step_tensors(workgroup: u32, local_index: u32) {
${tensors.map((k) => `  step_tensor_${k}(workgroup, local_index);\n`).join('')}}

${lanes}
${composeEquation(layout)}
${composeAverages(layout)}
${template}`;
}

function composeState({ elementSlots }: RuleLayout, { state }: StretchAccess): string {
  const at = (slot: string) => ({ array: `${slot}_array`, base: 'segment.state_base', access: state });
  const loads = elementSlots.map(
    (slot) => `fn load_${slot}(at: Place) -> lane {\n${f32.load(at(slot))}\n}\n
fn store_${slot}(at: Place, value: lane) {\n${f32.store(at(slot))}\n}\n`,
  );
  return `${loads.join('\n')}
fn load_state(at: Place) {
${elementSlots.map((slot) => `  ${slot} = load_${slot}(at);\n`).join('')}}

fn store_state(at: Place) {
${elementSlots.map((slot) => `  store_${slot}(at, ${slot});\n`).join('')}}
`;
}

/**
 * Access to one tensor, and the loop over an invocation's share of it. The loop stands once per tensor, because WGSL can
 * choose an array at run time only by a branch at each access.
 */
function composeTensor(k: number, { data, grad, gradBinding }: StretchAccess): string {
  const ofData = { array: `data_${k}`, base: 'segment.data_base', access: data };
  const gradArray = { shared: `data_${k}`, gathered: 'grad_0' }[gradBinding as string] ?? `grad_${k}`;
  const ofGrad = { array: gradArray, base: 'segment.grad_base', access: grad };
  return `fn load_data_${k}(at: Place) -> lane {
${f32.load(ofData)}
}

fn store_data_${k}(at: Place, value: lane) {
${f32.store(ofData)}
}

fn load_grad_${k}(at: Place) -> lane {
${gradBinding === 'none' ? '  return lane(0.0);' : f32.load(ofGrad)}
}

fn step_tensor_${k}(workgroup: u32, local_index: u32) {
  segment = segments.tensor_${k};
  let lanes = own_lanes(workgroup, local_index, segment.lane_count);
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    if (!has_place(i)) {
      continue;
    }
    let at = place_of(i);
    let before = load_data_${k}(at);
    load_state(at);
    store_data_${k}(at, stepped(before, load_grad_${k}(grad_place_of(i))));
    store_state(at);
  }
}
`;
}

/** Lanes of a tensor lie where their numbers say. */
const DENSE = `fn has_place(i: u32) -> bool {
  return true;
}

fn place_of(i: u32) -> Place {
  return Place(i, 4u * i, min(4u, segment.element_count - 4u * i));
}

fn grad_place_of(i: u32) -> Place {
  return place_of(i);
}
`;

/**
 * Lanes of the rows that a list names; those of the gradient are in the order of the list. `NO_ROW` stands for an entry that is
 * not its row's first: no binding is large enough for a row of that number.
 */
const NAMED_ROWS = `override ROW_LENGTH: u32 = 1u;
override ROW_LANES: u32 = (ROW_LENGTH + 3u) / 4u;

const NO_ROW: u32 = 0xffffffffu;

fn place_in(row_number: u32, i: u32) -> Place {
  let within = i % ROW_LANES;
  return Place(
    row_number * ROW_LANES + within,
    row_number * ROW_LENGTH + 4u * within,
    min(4u, ROW_LENGTH - 4u * within),
  );
}

/// Entries that are not the first of their row have no gradient left: they read and write nothing.
fn has_place(i: u32) -> bool {
  return rows[i / ROW_LANES] != NO_ROW;
}

fn place_of(i: u32) -> Place {
  return place_in(rows[i / ROW_LANES], i);
}

fn grad_place_of(i: u32) -> Place {
  return place_in(i / ROW_LANES, i);
}
`;
