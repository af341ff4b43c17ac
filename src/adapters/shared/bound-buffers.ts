import type { Optimizer } from '../../engine/optimizer.js';
import type { Parameter } from '../../engine/input/parameter/parameter.js';
import type { BufferChange } from '../../engine/input/rebind-input.js';

/** Where a parameter of some shape lies: its elements are the first of both buffers, which may be longer. */
export interface Placement {
  readonly data: GPUBuffer;
  readonly grad: GPUBuffer;
  /** The lengths of its axes, rows first, as rules of matrices want them. */
  readonly shape: readonly number[];
}

/** A parameter of the engine that lies somewhere. */
export function parameterAt(name: string, placement: Placement): Parameter & { name: string } {
  return { name, shape: placement.shape, ...rangesOf(placement) };
}

/** The buffers that the engine knows a framework's tensors to lie in, by its parameters' names. */
export class BoundBuffers {
  readonly #bound = new Map<string, Placement>();

  /** Where a parameter lies, as far as the engine knows. */
  get(name: string): Placement | undefined {
    return this.#bound.get(name);
  }

  /** Takes note of what the engine has been given otherwise. */
  set(name: string, placement: Placement): void {
    this.#bound.set(name, placement);
  }

  /**
   * Tells the engine what lies elsewhere than it knows.
   *
   * @throws OptimizerError as `Optimizer.rebind`; nothing has changed then.
   */
  rebind(engine: Optimizer, placements: ReadonlyMap<string, Placement>): void {
    const moved = new Map<string, Placement>();
    for (const [name, placement] of placements) {
      const bound = this.#bound.get(name);
      if (bound?.data !== placement.data || bound.grad !== placement.grad) moved.set(name, placement);
    }
    if (moved.size === 0) return;
    const changes = Array.from(moved, ([name, placement]) => [name, rangesOf(placement)] as const);
    engine.rebind(Object.fromEntries(changes));
    for (const [name, placement] of moved) this.#bound.set(name, placement);
  }

  clear(): void {
    this.#bound.clear();
  }
}

function rangesOf({ data, grad, shape }: Placement): Required<BufferChange> {
  const size = 4 * shape.reduce((product, length) => product * length, 1);
  return { data: { buffer: data, size }, grad: { buffer: grad, size } };
}
