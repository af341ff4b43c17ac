import type { Variable } from '@tensorflow/tfjs-core';
import type { Optimizer } from '../../engine/optimizer.js';
import { quote } from '../../errors.js';
import type { Rule } from '../../rules/rule.js';
import { BoundBuffers, type Placement } from '../shared/bound-buffers.js';
import { OwnBuffers } from '../shared/own-buffers.js';
import type { TfjsBackend } from './backend.js';
import type { Update } from './updates.js';

/** A variable that the engine steps. */
interface Entry {
  readonly variable: Variable;
  /** The engine's name of it. */
  readonly parameter: string;
  /**
   * Where its parameter lies once the variable is disposed, and its buffer another tensor's: bytes that are nobody else's.
   * The engine cannot give up a parameter yet, so these bytes and its state stay until `destroy()`.
   */
  remains?: GPUBuffer;
}

/** A variable that the engine does not know yet. */
export interface FreshVariable {
  /** The variable's name. */
  readonly name: string;
  readonly variable: Variable;
  /** What the engine is to call it: the variable's name, unless one that is gone had it. */
  readonly parameter: string;
  readonly placement: Placement;
}

/** Where the variables of a step lie. */
export interface Located {
  readonly fresh: readonly FreshVariable[];
  /** Those that the engine knows, by its names. */
  readonly known: ReadonlyMap<string, Placement>;
  /** Of these, the ones that have no gradient in this step, or are gone. */
  readonly skipped: readonly string[];
}

const NO_UPDATES: ReadonlyMap<string, Update> = new Map();

/** The variables that the engine knows, in the order in which it met them. */
export class VariableTable {
  readonly #entries = new Map<Variable, Entry>();
  readonly #bound = new BoundBuffers();
  readonly #own: OwnBuffers;

  constructor(
    private readonly backend: TfjsBackend,
    label: string,
    private readonly rule: Rule,
  ) {
    this.#own = new OwnBuffers(backend.device, `${label} tfjs`);
  }

  /** The variables that are not disposed, with the engine's names of them. */
  get variables(): { name: string; parameter: string }[] {
    const entries = [...this.#entries.values()].filter(({ variable }) => !variable.isDisposed);
    return entries.map(({ variable, parameter }) => ({ name: variable.name, parameter }));
  }

  /** Finds the buffers of all variables. */
  locate(updates: ReadonlyMap<string, Update>): Located {
    const fresh: FreshVariable[] = [];
    let names: Set<string> | undefined;
    for (const [name, { variable, gradient }] of updates) {
      if (this.#entries.has(variable)) continue;
      names ??= new Set(Array.from(this.#entries.values(), ({ parameter }) => parameter));
      const [data, grad] = [this.#dataOf(variable), this.#gradOf(name, gradient)];
      const parameter = freeName(name, names);
      names.add(parameter);
      fresh.push({ name, variable, parameter, placement: { data, grad, shape: this.#shapeOf(variable) } });
    }
    const known = new Map<string, Placement>();
    const skipped: string[] = [];
    for (const [variable, entry] of this.#entries) {
      const { name } = variable;
      // A variable that is gone may have a successor of its name.
      const gradient = variable.isDisposed ? undefined : updates.get(name)?.gradient;
      if (!gradient) skipped.push(entry.parameter);
      const grad = gradient ? this.#gradOf(name, gradient) : this.#zeros();
      known.set(entry.parameter, { data: this.#placeOf(entry), grad, shape: this.#shapeOf(variable) });
    }
    return { fresh, known, skipped };
  }

  /** Tells the engine where variables lie by now. @throws OptimizerError as `Optimizer.rebind`; nothing has changed then. */
  rebind(engine: Optimizer, { known }: Located): void {
    this.#bound.rebind(engine, known);
  }

  /** As {@link rebind}, for what works on weights between steps: by then, gradients may have gone where weights are. */
  follow(engine: Optimizer): void {
    const isBound = (entry: Entry): boolean =>
      this.#bound.get(entry.parameter)!.data === this.#placeOf(entry);
    if ([...this.#entries.values()].every(isBound)) return;
    this.rebind(engine, this.locate(NO_UPDATES));
  }

  /** Takes over fresh variables, once the engine has. */
  add(fresh: readonly FreshVariable[]): void {
    for (const { variable, parameter, placement } of fresh) {
      this.#entries.set(variable, { variable, parameter });
      this.#bound.set(parameter, placement);
    }
  }

  destroy(): void {
    this.#entries.clear();
    this.#bound.clear();
    this.#own.destroy();
  }

  #placeOf(entry: Entry): GPUBuffer {
    const { variable, parameter } = entry;
    if (!variable.isDisposed) return this.#dataOf(variable);
    return (entry.remains ??= this.#own.make(`remains of ${parameter}`, 4 * variable.size));
  }

  #dataOf(variable: Variable): GPUBuffer {
    return this.backend.ownBufferOf(variable, () => `variable ${quote(variable.name)}`);
  }

  /**
   * The shape that the rule is to see. Of kernels with more than two axes, the last one has the outputs. Where a kernel is made orthogonal as
   * one matrix, it is the columns, and the others are the rows; where it is many matrices, the last two axes are, as in Keras.
   */
  #shapeOf({ shape }: Variable): readonly number[] {
    if (shape.length <= 2 || !this.rule.declaration.matrix?.iteration) return shape;
    const columns = shape.at(-1)!;
    return [shape.slice(0, -1).reduce((product, length) => product * length, 1), columns];
  }

  #gradOf(name: string, gradient: Update['gradient']): GPUBuffer {
    return this.backend.bufferOf(gradient, () => `the gradient of variable ${quote(name)}`);
  }

  /** The gradients of variables that have none in a step: as long as the longest variable. */
  #zeros(): GPUBuffer {
    return this.#own.zeros(4 * Math.max(...Array.from(this.#entries.keys(), ({ size }) => size)));
  }
}

/** A name that no parameter has. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let k = 2; taken.has(free); k++) free = `${name}#${k}`;
  return free;
}
