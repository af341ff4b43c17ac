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

interface Node {
  readonly next: WeakMap<GPUBuffer, Node>;
  readonly bindGroups: Map<string, GPUBindGroup>;
}

const createNode = (): Node => ({ next: new WeakMap(), bindGroups: new Map() });

/** Bind groups that are kept, over all stages of an optimizer, for every one that is in use. */
const KEPT_PER_USE = 64;
const MIN_KEPT = 256;

/** Bind groups by what they bind, for as long as the buffers live: frameworks hand out the same few again and again. */
export class BindGroups {
  #root = createNode();
  #count = 0;
  #limit = MIN_KEPT;
  #layoutIds = new WeakMap<GPUBindGroupLayout, number>();
  #layoutCount = 0;

  constructor(private readonly device: GPUDevice) {}

  /** Says how many bind groups are in use at a time; 64 times as many are kept, then all are forgotten. */
  expect(count: number): void {
    this.#limit = Math.max(MIN_KEPT, KEPT_PER_USE * count);
  }

  /** The bind group of these ranges at bindings 0, 1, …, made if there is none yet. */
  get(layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[], label: string): GPUBindGroup {
    let node = this.#root;
    let key = String(this.#idOf(layout));
    for (const { buffer, offset = 0, size = -1 } of resources) {
      let next = node.next.get(buffer);
      if (!next) node.next.set(buffer, (next = createNode()));
      node = next;
      key += ` ${offset} ${size}`;
    }
    const known = node.bindGroups.get(key);
    if (known) return known;
    if (this.#count >= this.#limit) {
      this.#root = createNode();
      this.#count = 0;
      return this.get(layout, resources, label);
    }
    this.#count++;
    const made = bindBuffers(this.device, label, layout, resources);
    node.bindGroups.set(key, made);
    return made;
  }

  #idOf(layout: GPUBindGroupLayout): number {
    let id = this.#layoutIds.get(layout);
    if (id === undefined) this.#layoutIds.set(layout, (id = this.#layoutCount++));
    return id;
  }
}
