/** Anything that WebGPU frees on request. */
export interface Destroyable {
  destroy(): void;
}

/** Takes a resource that its caller will not free, to be freed when all is over, and returns it. */
export type Track = <T extends Destroyable>(resource: T) => T;
