import type { Variable } from '@tensorflow/tfjs-core';
import type { Parameter } from '../../engine/input/parameter.js';
import type { BufferChange } from '../../engine/input/rebind-input.js';
import { OptimizerError, quote } from '../../errors.js';
import type { TfjsBackend } from './backend.js';
import type { Update } from './updates.js';

/** A variable that the engine steps, and the buffers that it is bound to. */
interface Entry {
  readonly variable: Variable;
  data: GPUBuffer;
  grad: GPUBuffer;
}

/** Where the variables of a step lie. */
export interface Placement {
  /** Variables that the engine does not know yet, as its parameters. */
  readonly fresh: readonly Parameter[];
  /** What has moved since the last step. */
  readonly changes: Readonly<Record<string, BufferChange>>;
  /** Takes over the changes, once the engine has. */
  readonly commitChanges: () => void;
  /** Takes over the fresh ones, once the engine has. */
  readonly commitFresh: () => void;
}

/** The variables that the engine knows, in the order in which it met them. */
export class VariableTable {
  readonly #entries = new Map<string, Entry>();
  // The gradients of variables that have none in a step; all of them share it.
  #zeros: GPUBuffer | undefined;

  constructor(
    private readonly backend: TfjsBackend,
    private readonly label: string,
  ) {}

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Throws if a variable is gone: it cannot be told from a new one with its name, and its buffer is another tensor's now.
   *
   * @throws OptimizerError `invalid-parameter`.
   */
  rejectDisposed(): void {
    for (const [name, { variable }] of this.#entries) {
      if (!variable.isDisposed) continue;
      throw new OptimizerError(
        'invalid-parameter',
        `variable ${quote(name)} was disposed, but this optimizer has its state; create a new optimizer for the others.`,
      );
    }
  }

  /** Those of the variables that have no gradient in this step; undefined if all have. */
  skippedIn(updates: ReadonlyMap<string, Update>): Set<string> | undefined {
    const skipped = this.names.filter((name) => !updates.has(name));
    return skipped.length > 0 ? new Set(skipped) : undefined;
  }

  /** Finds the buffers of all variables. */
  locate(updates: ReadonlyMap<string, Update>): Placement {
    const fresh: Parameter[] = [];
    const changes: Record<string, BufferChange> = {};
    const moved: (() => void)[] = [];
    const added: (() => void)[] = [];
    for (const [name, update] of updates) {
      if (this.#entries.has(name)) continue;
      const { variable } = update;
      const [data, grad] = [this.#dataOf(name, variable), this.#gradOf(name, update)];
      fresh.push({ name, data: rangeOf(data, variable), grad: rangeOf(grad, variable) });
      added.push(() => this.#entries.set(name, { variable, data, grad }));
    }
    for (const [name, entry] of this.#entries) {
      const { variable } = entry;
      const update = updates.get(name);
      const data = this.#dataOf(name, variable);
      const grad = update ? this.#gradOf(name, update) : this.#zerosForAll();
      if (data === entry.data && grad === entry.grad) continue;
      changes[name] = { data: rangeOf(data, variable), grad: rangeOf(grad, variable) };
      moved.push(() => Object.assign(entry, { data, grad }));
    }
    return {
      fresh,
      changes,
      commitChanges: () => {
        for (const move of moved) move();
      },
      commitFresh: () => {
        for (const add of added) add();
      },
    };
  }

  destroy(): void {
    this.#entries.clear();
    this.#zeros?.destroy();
    this.#zeros = undefined;
  }

  #dataOf(name: string, variable: Variable): GPUBuffer {
    return this.backend.ownBufferOf(variable, `variable ${quote(name)}`);
  }

  #gradOf(name: string, { gradient }: Update): GPUBuffer {
    return this.backend.bufferOf(gradient, `the gradient of variable ${quote(name)}`);
  }

  /** As long as the longest variable. */
  #zerosForAll(): GPUBuffer {
    const sizes = [...this.#entries.values()].map(({ variable }) => 4 * variable.size);
    const byteLength = Math.max(...sizes);
    if (this.#zeros && this.#zeros.size >= byteLength) return this.#zeros;
    this.#zeros?.destroy();
    this.#zeros = this.backend.device.createBuffer({
      label: `${this.label} zeros`,
      size: byteLength,
      usage: GPUBufferUsage.STORAGE,
    });
    return this.#zeros;
  }
}

function rangeOf(buffer: GPUBuffer, { size }: Variable): GPUBufferBinding {
  return { buffer, size: 4 * size };
}
