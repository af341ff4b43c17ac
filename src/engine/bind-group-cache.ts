interface Node {
  readonly next: WeakMap<GPUBuffer, Node>;
  readonly bindGroups: Map<string, GPUBindGroup>;
}

const createNode = (): Node => ({ next: new WeakMap(), bindGroups: new Map() });

/** Bind groups by what they bind, for as long as the buffers live: frameworks hand out the same few again and again. */
export class BindGroupCache {
  readonly #root = createNode();

  /**
   * The bind group over these ranges, made if there is none yet.
   *
   * @param key what distinguishes it beside the ranges.
   */
  get(ranges: readonly GPUBufferBinding[], key: string, make: () => GPUBindGroup): GPUBindGroup {
    let node = this.#root;
    for (const { buffer } of ranges) {
      let next = node.next.get(buffer);
      if (!next) node.next.set(buffer, (next = createNode()));
      node = next;
    }
    const whole = `${key} ${ranges.map(({ offset, size }) => `${offset} ${size}`).join(' ')}`;
    const known = node.bindGroups.get(whole);
    if (known) return known;
    const made = make();
    node.bindGroups.set(whole, made);
    return made;
  }
}
