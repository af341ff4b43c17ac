/** Adds up the CPU time that measurements of several contestants use, and says what a step of each costs. */
export class CpuClock<T> {
  readonly #totals = new Map<T, { cpuMs: number; steps: number }>();

  /** @param readMs CPU time used so far. */
  constructor(private readonly readMs: () => Promise<number>) {}

  /** Runs a measurement of `steps` steps. The first of each contestant compiles things and is left out. */
  async observe<R>(contestant: T, steps: number, measurement: () => Promise<R>): Promise<R> {
    const before = await this.readMs();
    const result = await measurement();
    const cpuMs = (await this.readMs()) - before;
    const total = this.#totals.get(contestant);
    if (!total) this.#totals.set(contestant, { cpuMs: 0, steps: 0 });
    else {
      total.cpuMs += cpuMs;
      total.steps += steps;
    }
    return result;
  }

  /** CPU milliseconds per step, by contestant. */
  meansMs(): Map<T, number> {
    return new Map([...this.#totals].map(([contestant, { cpuMs, steps }]) => [contestant, cpuMs / steps]));
  }
}
