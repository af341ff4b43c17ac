/** A kernel that does nothing but keep numbers by a codec and load them again. */
import type { Track } from '../../proof/track.js';
import { readBuffer } from '../../proof/read-buffer.js';
import philoxWgsl from '../../shaders/philox.wgsl?raw';
import wordsWgsl from '../../shaders/words.wgsl?raw';
import {
  type Access,
  CELLS_WGSL,
  type Codec,
  PLACE_WGSL,
  type StoreAccess,
  byteLengthOf,
  isByCells,
} from '../../src/codecs/codec.js';
import { fixedPoint } from '../../src/codecs/i32.js';
import { MASTER_WEIGHTS, type Masters, mastersOf } from '../../src/codecs/masters.js';
import { philox } from '../../src/codecs/philox.js';
import { KEEPING_CODECS, codecOfName } from '../../src/codecs/state-dtype.js';
import { getPipeline } from '../../src/gpu/pipelines.js';
import { composeWeights } from '../../src/kernel/weights.js';

/** What is kept, and how. */
export interface Keeping {
  readonly title: string;
  readonly codec: Codec;
  readonly access: Access;
  /** Whether numbers are rounded by random words. */
  readonly isDrawn: boolean;
  /** What keeps weights more exactly beside the codec's copy. */
  readonly masters?: Masters;
}

/** Elements of a row, where rows lie apart, and how far apart, in elements; halves of rows that lie apart come in pairs. */
const ROWS: Partial<Record<Access, { readonly length: number; readonly stride: number }>> = {
  strided: { length: 6, stride: 10 },
  woven: { length: 3, stride: 5 },
};

function accessesOf(codec: Codec): Access[] {
  const flat: Access[] = ['vector', 'gather'];
  // State lies side by side; weights and gradients may lie in rows apart.
  if (codec.isScaled || codec.blockLength > 2) return flat;
  return codec.random ? [...flat, 'strided', 'woven'] : [...flat, 'strided'];
}

/** All codecs of the registry and some scales of fixed point, each wherever its elements may lie; all masters. */
export function keepings(): Keeping[] {
  const codecs = [...KEEPING_CODECS, ...[65_536, 0.3].map(fixedPoint)];
  const plain = codecs.flatMap((codec) =>
    accessesOf(codec).flatMap((access) =>
      (codec.random ? [false, true] : [false]).map((isDrawn) => ({
        title: `${codec.name}, ${access}${isDrawn ? ', by random words' : ''}`,
        codec,
        access,
        isDrawn,
      })),
    ),
  );
  const masters = MASTER_WEIGHTS.flatMap((name) =>
    mastersOf(name).dtypes.map((dtype) => ({
      title: `${dtype} with masters ${name}`,
      codec: codecOfName(dtype)!,
      access: 'vector' as const,
      isDrawn: false,
      masters: mastersOf(name),
    })),
  );
  return [...plain, ...masters];
}

const lanesOfInvocation = (codec: Codec): number => 3 * Math.max(1, codec.blockLength / 4);

/** Elements in front of the tensor: whole lanes and whole blocks; of what may lie anywhere, one more. */
const elementsBefore = ({ codec, access }: Keeping): number =>
  Math.max(4, codec.blockLength) + Number(access === 'woven');

/** Where an element lies in what is bound. */
export function placeOf(keeping: Keeping, element: number): number {
  const rows = ROWS[keeping.access];
  const own = rows ? Math.floor(element / rows.length) * rows.stride + (element % rows.length) : element;
  return elementsBefore(keeping) + own;
}

/** Bytes to bind for so many elements: with a lane behind them, in whole items. */
export function boundByteLength(keeping: Keeping, elementCount: number): number {
  const { blockLength, blockByteLength } = keeping.codec;
  const unit = Math.max(4, blockLength);
  const end = placeOf(keeping, Math.max(elementCount - 1, 0)) + 1 + 4;
  return (Math.ceil(end / unit) * unit * blockByteLength) / blockLength;
}

/** Tensors are multiples of so many elements. A vec4 is whole, what lies behind a tensor's last element is padding; rows of halves that lie apart are of even length. */
export function wholeLength({ codec, access }: Keeping): number {
  if (access === 'vector') return codec.isScaled ? 1 : 4;
  return access === 'strided' ? codec.blockLength : 1;
}

/** The functions of the kernel that are the codec's. */
export const CODEC_FUNCTIONS = ['load_kept', 'store_kept', 'random_words'] as const;

export function composeCodecKernel(keeping: Keeping): string {
  const { codec, access, isDrawn, masters } = keeping;
  const before = elementsBefore(keeping);
  const isAtomic = access === 'woven';
  const elementCount = 'job.element_count';
  const lanes = {
    array: 'kept',
    base: `${access === 'vector' ? before / 4 : before}u`,
    access,
    isAtomic,
    ...(ROWS[access] && { stride: `${ROWS[access].stride}u` }),
    ...(isDrawn && { random: 'random_words(at)' }),
    elementCount,
  };
  const beside = { array: 'beside', base: '0u', access: 'vector' as const, elementCount };
  return `alias lane = vec4<f32>;

struct Job {
  element_count: u32,
  stores: u32,
  seed: vec2<u32>,
}

${PLACE_WGSL}
@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> kept: array<${isAtomic ? 'atomic<u32>' : codec.arrayType(access)}>;
@group(0) @binding(3) var<storage, read_write> loaded: array<vec4<u32>>;
${masters ? composeMasters(masters, beside) : ''}
${isByCells(access) ? CELLS_WGSL : ''}
${codec.wgsl}
${isDrawn ? DRAWING_WGSL + codec.random!.wgsl : ''}
${codec.declare?.('kept') ?? ''}
${composeWeights('kept', codec, lanes, masters)}
fn store_kept(at: Place, value: lane) {
${masters ? `  store_${masters.slot}(at, ${masters.kept('value')});\n` : ''}${codec.store(lanes)}
}

fn place_of(lane_number: u32) -> Place {
  let element = 4u * lane_number;
  return Place(lane_number, element, min(4u, job.element_count - element));
}

// One invocation has some blocks one behind another: what it keeps of one must not be in the next.
@compute @workgroup_size(64)
fn keep(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = id.x * ${lanesOfInvocation(codec)}u;
  let end = min(first + ${lanesOfInvocation(codec)}u, (job.element_count + 3u) / 4u);
  for (var k = first; k < end && job.stores == 1u; k++) {
    store_kept(place_of(k), bitcast<lane>(values[k]));
  }
  for (var k = first; k < end; k++) {
    loaded[k] = bitcast<vec4<u32>>(load_kept(place_of(k)));
  }
}
`;
}

const DRAWING_WGSL = `${wordsWgsl}
${philoxWgsl}
fn random_words(at: Place) -> vec4<u32> {
  return philox(vec4<u32>(at.lane, 7u, 8u, 9u), job.seed);
}

`;

/** The random word of an element; the twin of `random_words`. */
export const randomWordOf = (element: number, seed: readonly [number, number]): number =>
  philox([Math.floor(element / 4), 7, 8, 9], seed)[element % 4]!;

const composeMasters = (masters: Masters, beside: StoreAccess): string =>
  `@group(0) @binding(4) var<storage, read_write> beside: array<${masters.codec.arrayType('vector')}>;
${masters.codec.wgsl}
${masters.wgsl}
fn load_${masters.slot}(at: Place) -> lane {
${masters.codec.load(beside)}
}

fn store_${masters.slot}(at: Place, value: lane) {
${masters.codec.store(beside)}
}
`;

/** What a kernel is given. */
export interface KeptInput {
  /** Numbers to keep; else, how many to load. */
  readonly values: Float32Array<ArrayBuffer> | number;
  /** What is bound for them before. */
  readonly kept: Uint8Array<ArrayBuffer>;
  /** What masters keep before. */
  readonly beside?: Uint8Array<ArrayBuffer>;
  readonly seed?: readonly [number, number];
}

export interface KeptOutput {
  /** What is bound, with all around the tensor. */
  readonly kept: Uint8Array<ArrayBuffer>;
  /** What masters keep; of others, nothing. */
  readonly beside: Uint8Array<ArrayBuffer>;
  readonly loaded: Float32Array<ArrayBuffer>;
  /** What was loaded behind the last one, to the end of its lane. */
  readonly behind: Float32Array<ArrayBuffer>;
}

/** Keeps some numbers on the GPU, if there are any, and loads what is kept then. */
export async function runCodecKernel(
  device: GPUDevice,
  track: Track,
  keeping: Keeping,
  { values, kept, beside, seed = [0, 0] }: KeptInput,
  code: string = composeCodecKernel(keeping),
): Promise<KeptOutput> {
  const { codec, masters } = keeping;
  const elementCount = typeof values === 'number' ? values : values.length;
  const laneCount = Math.ceil(elementCount / 4);
  const padded = new Float32Array(4 * laneCount);
  if (typeof values !== 'number') padded.set(values);
  const job = Uint32Array.of(elementCount, Number(typeof values !== 'number'), ...seed);
  const contents: Uint8Array<ArrayBuffer>[] = [
    new Uint8Array(job.buffer),
    new Uint8Array(padded.buffer),
    kept,
    new Uint8Array(16 * laneCount),
    ...(masters ? [beside ?? new Uint8Array(byteLengthOf(masters.codec, 4 * laneCount))] : []),
  ];
  const types: GPUBufferBindingType[] = ['uniform', 'read-only-storage', 'storage', 'storage', 'storage'];
  const buffers = contents.map((bytes, k) => {
    const role = k === 0 ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
    const usage = role | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = track(device.createBuffer({ label: `codec ${k}`, size: bytes.byteLength, usage }));
    device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  });
  const { pipeline, layouts } = await getPipeline(device, {
    label: `codec ${keeping.title}`,
    code,
    entryPoint: 'keep',
    constants: isByCells(keeping.access) ? { ROW_LENGTH: ROWS[keeping.access]!.length } : {},
    bindGroups: [buffers.map((_, k) => ({ type: types[k]! }))],
  });
  const bindGroup = device.createBindGroup({
    label: 'codec',
    layout: layouts[0]!,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder({ label: 'codec' });
  const pass = encoder.beginComputePass({ label: 'codec' });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(Math.ceil(laneCount / lanesOfInvocation(codec) / 64));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const [after, loaded, besideAfter] = await Promise.all(
    buffers.slice(2).map((buffer) => readBuffer(device, buffer)),
  );
  return {
    kept: new Uint8Array(after!.buffer),
    beside: new Uint8Array(besideAfter?.buffer ?? new ArrayBuffer(0)),
    loaded: new Float32Array(loaded!.buffer, 0, elementCount),
    behind: new Float32Array(loaded!.buffer, 4 * elementCount),
  };
}
