import { COMPUTE_STAGE } from './flags.js';

/** The layout of a compute kernel's bind group: its buffers at bindings 0, 1, … */
export function createLayout(
  device: GPUDevice,
  label: string,
  buffers: readonly GPUBufferBindingLayout[],
): GPUBindGroupLayout {
  const entries = buffers.map((buffer, binding) => ({ binding, visibility: COMPUTE_STAGE, buffer }));
  return device.createBindGroupLayout({ label, entries });
}

/** Binds ranges of buffers at bindings 0, 1, … */
export function bindBuffers(
  device: GPUDevice,
  label: string,
  layout: GPUBindGroupLayout,
  resources: readonly GPUBufferBinding[],
): GPUBindGroup {
  const entries = resources.map((resource, binding) => ({ binding, resource: { ...resource } }));
  return device.createBindGroup({ label, layout, entries });
}

/** What was asked for, and the bind group. */
interface Known {
  readonly resources: readonly GPUBufferBinding[];
  readonly bindGroup: GPUBindGroup;
}

class Node {
  readonly #next = new WeakMap<object, Node>();
  /** By a number of the ranges in the buffers on the way here, or by one of those behind it that was free. */
  readonly known = new Map<number, Known>();

  follow(key: object): Node {
    let node = this.#next.get(key);
    if (!node) this.#next.set(key, (node = new Node()));
    return node;
  }
}

/** Bind groups that are kept, over all stages of an optimizer, for every one that is in use. */
const KEPT_PER_USE = 64;
const MIN_KEPT = 256;

/** Bind groups by what they bind, for as long as the buffers live: frameworks hand out the same few again and again. */
export class BindGroups {
  #root = new Node();
  #count = 0;
  #limit = MIN_KEPT;

  constructor(private readonly device: GPUDevice) {}

  /** Says how many bind groups are in use at a time; 64 times as many are kept, then all are forgotten. */
  expect(count: number): void {
    this.#limit = Math.max(MIN_KEPT, KEPT_PER_USE * count);
  }

  /** The bind group of these ranges at bindings 0, 1, …, made if there is none yet. */
  get(layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[], label: string): GPUBindGroup {
    return this.find(layout, resources, () => bindBuffers(this.device, label, layout, resources));
  }

  /**
   * As {@link get}, where not all that is bound need be looked at.
   *
   * @param owner says all of it but for these ranges.
   */
  find(owner: object, resources: readonly GPUBufferBinding[], make: () => GPUBindGroup): GPUBindGroup {
    let node = this.#root.follow(owner);
    let key = 0;
    for (const { buffer, offset = 0, size = 0 } of resources) {
      node = node.follow(buffer);
      key = (31 * key + offset + size) | 0;
    }
    let known: Known | undefined;
    while ((known = node.known.get(key)) && !haveSameRanges(known.resources, resources)) key++;
    if (known) return known.bindGroup;
    if (this.#count++ >= this.#limit) {
      this.#root = new Node();
      this.#count = 0;
      return this.find(owner, resources, make);
    }
    const bindGroup = make();
    node.known.set(key, { resources, bindGroup });
    return bindGroup;
  }
}

/** Of the same buffers. */
function haveSameRanges(a: readonly GPUBufferBinding[], b: readonly GPUBufferBinding[]): boolean {
  // By index: thousands are compared at every step of some frameworks.
  for (let k = 0; k < a.length; k++)
    if (a[k]!.offset !== b[k]!.offset || a[k]!.size !== b[k]!.size) return false;
  return true;
}
