/** What of a GPUBuffer is looked at before anything is bound; for tests without a GPU. */
export function fakeBuffer(elementCount: number, label = 'fake'): GPUBuffer {
  const usage = 0x80; // STORAGE
  return { label, size: 4 * elementCount, usage, mapAsync: () => Promise.resolve() } as unknown as GPUBuffer;
}
