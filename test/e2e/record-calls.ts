/** One call of a recorded method. */
export interface RecordedCall {
  readonly target: unknown;
  readonly args: readonly unknown[];
}

/** Calls so far; `restore` puts the original method back. */
export interface CallRecorder {
  readonly calls: readonly RecordedCall[];
  restore(): void;
}

/** Records all calls of a method of a prototype, and passes them on. */
export function recordCalls<T extends object>(prototype: T, method: keyof T & string): CallRecorder {
  const calls: RecordedCall[] = [];
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
  const original: unknown = descriptor?.value;
  if (descriptor === undefined || typeof original !== 'function') {
    throw new Error(`There is no method "${method}" to record.`);
  }
  Object.defineProperty(prototype, method, {
    ...descriptor,
    value(this: unknown, ...args: unknown[]): unknown {
      calls.push({ target: this, args });
      return Reflect.apply(original, this, args);
    },
  });
  return { calls, restore: () => Object.defineProperty(prototype, method, descriptor) };
}
