/**
 * While anything is awaited, Dawn's binding for Node asks at each turn of the event loop whether the GPU is done, which takes the
 * core that SwiftShader could compute on. From now on it asks each millisecond. Call it before anything is awaited.
 */
export function pollGently(): void {
  // As they are before a test replaces them.
  const { setImmediate: atOnce, setTimeout: later } = globalThis;
  // The binding looks for it by this name, and gives a function of its own.
  const isBindings = (action: unknown): boolean => String(action).includes('[native code]');
  const gently = (action: (...args: unknown[]) => void, ...args: unknown[]) =>
    isBindings(action) ? later(action, 1) : atOnce(action, ...args);
  // What else it has (`promisify.custom`) stays.
  globalThis.setImmediate = Object.assign(gently, atOnce);
}
