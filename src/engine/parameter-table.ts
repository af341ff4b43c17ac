import { OptimizerError, quote } from '../errors.js';
import type { ResolvedGroup } from './config.js';
import { GradientClearer } from './gradient-clearer.js';
import type { ResolvedParameter } from './parameter.js';
import { readSpans } from './readback.js';
import type { Span } from './span.js';
import type { StateDict } from './state-dict.js';
import type { StateStore } from './state-store.js';
import { swapSpans } from './swap.js';

/** Where a parameter is: its group's state, its index in the group, and its checked buffers. */
interface Location {
  readonly state: StateStore;
  readonly indexInGroup: number;
  readonly parameter: ResolvedParameter;
}

/** All parameters by name, with their state: what is read, written and exchanged between steps. */
export class ParameterTable {
  readonly #device: GPUDevice;
  readonly #locations = new Map<string, Location>();
  readonly #clearer: GradientClearer;

  /** @param states per group, its state. */
  constructor(device: GPUDevice, groups: readonly ResolvedGroup[], states: readonly StateStore[]) {
    this.#device = device;
    groups.forEach(({ parameters }, g) =>
      parameters.forEach((parameter, indexInGroup) => {
        this.#locations.set(parameter.name, { state: states[g]!, indexInGroup, parameter });
      }),
    );
    this.#clearer = new GradientClearer(
      groups.flatMap(({ parameters }) => parameters.flatMap(({ grad }) => grad)),
    );
  }

  /** Element count of each parameter. */
  get elementCounts(): ReadonlyMap<string, number> {
    return new Map([...this.#locations].map(([name, { parameter }]) => [name, parameter.elementCount]));
  }

  /** @throws OptimizerError if the name is unknown or the buffer lacks COPY_SRC. */
  readParam(name: string): Promise<Float32Array<ArrayBuffer>> {
    return readSpans(this.#device, this.#locate(name).parameter.data, `parameter ${quote(name)}`);
  }

  /** @throws OptimizerError if the name is unknown or has no such slot. */
  readState(name: string, slot: string): Promise<Float32Array<ArrayBuffer>> {
    return readSpans(this.#device, this.#stateSpans(name, slot), `${slot} of parameter ${quote(name)}`);
  }

  /** All state, as it is at this point of the queue. */
  async readAllState(): Promise<StateDict['state']> {
    const entries = [...this.#locations].map(async ([name, { state }]) => {
      const slots = state.slots.map(async (slot) => [slot, await this.readState(name, slot)] as const);
      return [name, Object.fromEntries(await Promise.all(slots))] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Replaces all state by what was checked to fit. */
  writeAllState(values: StateDict['state']): void {
    for (const [name, { state, indexInGroup }] of this.#locations) {
      for (const slot of state.slots) state.write(this.#device, slot, indexInGroup, values[name]![slot]!);
    }
  }

  /** @throws OptimizerError if a parameter has no such slot, or a buffer lacks COPY_SRC or COPY_DST. */
  exchangeWithState(slot: string): void {
    const states = [...this.#locations.keys()].flatMap((name) => this.#stateSpans(name, slot));
    const weights = [...this.#locations.values()].flatMap(({ parameter }) => parameter.data);
    swapSpans(this.#device, weights, states, `weights and ${slot}`);
  }

  /** @throws OptimizerError if a gradient buffer lacks COPY_DST. */
  clearGradients(encoder: GPUCommandEncoder): void {
    this.#clearer.encode(encoder);
  }

  #locate(name: string): Location {
    const location = this.#locations.get(name);
    if (location) return location;
    const known = [...this.#locations.keys()].slice(0, 20).map(quote).join(', ');
    throw new OptimizerError(
      'invalid-parameter',
      `there is no parameter ${quote(name)}; there are ${known}.`,
    );
  }

  #stateSpans(name: string, slot: string): Span[] {
    const { state, indexInGroup } = this.#locate(name);
    const { slots } = state;
    if (slots.includes(slot)) return state.spans(slot, indexInGroup);
    const has = slots.length > 0 ? `has ${slots.map(quote).join(', ')}` : 'has none';
    throw new OptimizerError('invalid-parameter', `there is no state ${quote(slot)} here; the rule ${has}.`);
  }
}
