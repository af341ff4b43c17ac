import { alignUp } from './alignment.js';

/** How a kernel's lanes are shared out among invocations. The results do not depend on it. */
export interface KernelShape {
  /** Invocations per workgroup. */
  readonly workgroupSize: number;
  /** Lanes (vec4s) per invocation. */
  readonly lanesPerInvocation: number;
  /** Whether an invocation's lanes are neighbours, or a workgroup apart. */
  readonly consecutive: boolean;
}

/**
 * CPU adapters pay for each wave of invocations, above all at barriers, and for each workgroup. So one or two waves do much, as
 * long as all cores have work; measured by the benchmark's suite `shapes`, tables in bench/README.md.
 */
export const CPU_WORKGROUP_SIZE = 8;
/** More gains nothing measurable. */
export const CPU_MAX_LANES_PER_INVOCATION = 2048;
/** Fewer cost more than an idle core does. */
export const CPU_MIN_LANES_PER_INVOCATION = 64;
/** Where one workgroup of the above would hold the whole tensor, the other cores would idle. */
export const CPU_SMALL_LANES_PER_INVOCATION = 16;
/** Below this many workgroups, cores would idle or be left with uneven shares. */
export const CPU_MIN_WORKGROUPS = 16;

/** GPUs hide latency with many invocations and want neighbours to touch neighbouring addresses. */
const GPU_SHAPE: KernelShape = { workgroupSize: 256, lanesPerInvocation: 1, consecutive: false };

/** Whether the adapter computes on the CPU, by its name: SwiftShader, llvmpipe, lavapipe, WARP. */
export function isCpuAdapter(info: Partial<GPUAdapterInfo> | undefined): boolean {
  if (info?.isFallbackAdapter === true) return true;
  const text = [info?.vendor, info?.architecture, info?.device, info?.description].join(' ').toLowerCase();
  return /swiftshader|llvmpipe|lavapipe|basic render|warp/.test(text);
}

/**
 * The shape for an adapter.
 *
 * @param laneCount lanes of the dispatch. Shapes differ in powers of two, so that few pipelines serve all sizes.
 */
export function chooseShape(info: Partial<GPUAdapterInfo> | undefined, laneCount = Infinity): KernelShape {
  return isCpuAdapter(info) ? chooseCpuShape(laneCount) : GPU_SHAPE;
}

/**
 * The shape where an invocation is to store whole blocks: as many lanes as they have, one behind the other.
 *
 * @param blockLanes lanes of a block.
 */
export const shapeOfBlocks = (shape: KernelShape, blockLanes: number): KernelShape => ({
  ...shape,
  lanesPerInvocation: alignUp(shape.lanesPerInvocation, blockLanes),
  consecutive: true,
});

/** Values of the `override` constants that a kernel shape sets. */
export function shapeConstants(shape: KernelShape): Record<string, number> {
  return {
    WORKGROUP_SIZE: shape.workgroupSize,
    LANES_PER_INVOCATION: shape.lanesPerInvocation,
    CONSECUTIVE: Number(shape.consecutive),
  };
}

/** The most lanes per invocation that leave enough workgroups; for a tensor too small for that, few. */
function chooseCpuShape(laneCount: number): KernelShape {
  const workgroupSize = CPU_WORKGROUP_SIZE;
  let lanesPerInvocation = CPU_MAX_LANES_PER_INVOCATION;
  const workgroupCount = () => laneCount / (workgroupSize * lanesPerInvocation);
  while (lanesPerInvocation > CPU_MIN_LANES_PER_INVOCATION && workgroupCount() < CPU_MIN_WORKGROUPS) {
    lanesPerInvocation /= 2;
  }
  if (workgroupCount() <= 1) lanesPerInvocation = CPU_SMALL_LANES_PER_INVOCATION;
  return { workgroupSize, lanesPerInvocation, consecutive: true };
}

/**
 * The grid for a number of lanes, as close to two even dimensions as needed: one dimension holds at most
 * `maxPerDimension` workgroups.
 */
export function chooseGrid(laneCount: number, shape: KernelShape, maxPerDimension: number): [number, number] {
  const workgroupCount = Math.ceil(laneCount / (shape.workgroupSize * shape.lanesPerInvocation));
  const y = Math.ceil(workgroupCount / maxPerDimension);
  return [Math.ceil(workgroupCount / y), y];
}
