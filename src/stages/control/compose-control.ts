import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import advanceWgsl from '../../../shaders/stages/control/advance.wgsl?raw';
import decideWgsl from '../../../shaders/stages/control/decide.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import wordsWgsl from '../../../shaders/words.wgsl?raw';
import type { ResolvedGradientOptions } from '../../engine/input/options/gradient-options.js';
import type { PipelineSource } from '../../gpu/pipelines.js';
import type { RowLayout } from '../../kernel/row.js';
import { wordStruct } from '../../kernel/structs.js';
import { HEAD_BYTE_LENGTH, HEAD_WGSL } from './head.js';
import { SLOT_LAYOUT, composeSlot } from './slot.js';
import { recordWords } from './step-records.js';

/** Where the partials of a reduction lie, in lanes of its workspace. */
export const REDUCTION = wordStruct('Reduction', { first_partial: 'u32', partial_count: 'u32' });

/** Tensors of a workgroup of `advance`. */
export const TENSORS_PER_WORKGROUP = 64;

/** In the list of rows, where a tensor has none. */
export const NO_ROW = 0xffff_ffff;
/** Beside the number of a row: the tensor speaks for it. */
export const SPEAKS = 0x8000_0000;

/** The kernel that decides. Bindings of group 0: reduction, workspace, head, loss scale; group 1: the step's slot. */
export function decideSource(options: ResolvedGradientOptions, row: RowLayout): PipelineSource {
  return {
    label: 'webgpu-optim decide',
    code: `// webgpu-optim: decision
${composeSlot(row)}
${HEAD_WGSL}
${REDUCTION.wgsl}
${squaresWgsl}
${treeWgsl}
${decideWgsl}`,
    entryPoint: 'decide',
    constants: {
      CLIP: Number(options.maxGradNorm < Infinity),
      SKIP: Number(options.skipNonFinite),
      DYNAMIC: Number(options.dynamic !== undefined),
    },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: REDUCTION.byteLength },
        { type: 'read-only-storage', minBindingSize: 16 },
        { type: 'storage', minBindingSize: HEAD_BYTE_LENGTH },
        { type: 'storage', minBindingSize: 4 },
      ],
      [SLOT_LAYOUT],
    ],
  };
}

/** The kernel that advances counts. Bindings of group 0: head, rows, records; group 1: the step's slot. */
export function advanceSource(row: RowLayout): PipelineSource {
  const words = recordWords(row.corrections.length);
  return {
    label: 'webgpu-optim advance',
    code: `// webgpu-optim: counts and corrections
${composeSlot(row)}
const WORKGROUP_SIZE: u32 = ${TENSORS_PER_WORKGROUP}u;
const RECORD_WORDS: u32 = ${words}u;
const NO_ROW: u32 = ${NO_ROW}u;
const SPEAKS: u32 = ${SPEAKS}u;
${HEAD_WGSL}
${wordsWgsl}
${advanceWgsl}`,
    entryPoint: 'advance',
    constants: {},
    bindGroups: [
      [
        { type: 'read-only-storage', minBindingSize: HEAD_BYTE_LENGTH },
        { type: 'read-only-storage', minBindingSize: 4 },
        { type: 'storage', minBindingSize: 4 * words },
      ],
      [SLOT_LAYOUT],
    ],
  };
}
