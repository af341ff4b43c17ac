/**
 * What a GPU object is, told by what is used of it: a framework may have it from another realm (an iframe, Node without
 * globals), where it is an instance of another class of the same name.
 */

/** Whether a value is a GPUDevice. */
export const isDevice = (value: unknown): value is GPUDevice => has(value, 'createBuffer', 'createBindGroup');

/** Whether a value is a GPUBuffer. */
export const isBuffer = (value: unknown): value is GPUBuffer => has(value, 'mapAsync', 'getMappedRange');

/** Whether a value is a GPUTexture. */
export const isTexture = (value: unknown): value is GPUTexture => has(value, 'createView');

/** Whether a value is a GPUCommandEncoder. */
export const isCommandEncoder = (value: unknown): value is GPUCommandEncoder =>
  has(value, 'beginComputePass');

function has(value: unknown, ...methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}
