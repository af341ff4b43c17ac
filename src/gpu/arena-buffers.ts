import { OptimizerError, quote } from '../errors.js';

/** What the engine knows of a buffer that an arena made, and cannot know of a caller's own. */
export interface ArenaBuffer {
  /** The arena's label, for errors. */
  readonly arena: string;
  isDestroyed: boolean;
}

/** What lies between the tensors of such a buffer. */
interface ArenaGaps {
  /**
   * Every tensor starts at a multiple of so many bytes. What lies behind it up to its next whole lane, or up to the next
   * tensor if that is nearer than this, is nobody's: a kernel may run over it.
   */
  readonly padding: number;
  /** Bytes behind the last of each tensor in it, and behind its last word. */
  readonly ends: Pick<ReadonlySet<number>, 'has'>;
}

const arenaBuffers = new WeakMap<GPUBuffer, ArenaGaps & { readonly about: ArenaBuffer }>();

/** Makes a buffer known as an arena's. */
export function registerArenaBuffer(buffer: GPUBuffer, about: ArenaBuffer, gaps: ArenaGaps): void {
  arenaBuffers.set(buffer, { ...gaps, about });
}

/**
 * The padding behind a byte at which a tensor of an arena ends. 0 elsewhere, where every byte is somebody's: in a caller's own
 * buffer, and within a tensor of which callers may give a part.
 */
export function paddingOf(buffer: GPUBuffer, end: number): number {
  const known = arenaBuffers.get(buffer);
  return known?.ends.has(end) ? known.padding : 0;
}

/** What is known of the arenas among some buffers, each once. */
export function arenasAmong(buffers: Iterable<GPUBuffer>): ArenaBuffer[] {
  const found = new Set<ArenaBuffer>();
  for (const buffer of buffers) {
    const known = arenaBuffers.get(buffer);
    if (known) found.add(known.about);
  }
  return [...found];
}

/**
 * @param call the call, for errors: `'step()'`.
 * @throws OptimizerError `destroyed` if one of them is.
 */
export function rejectDestroyedArena(arenas: Iterable<ArenaBuffer>, call: string): void {
  for (const { arena, isDestroyed } of arenas) {
    if (!isDestroyed) continue;
    throw new OptimizerError(
      'destroyed',
      `${call}: the parameters lie in the arena ${quote(arena)}, which is destroyed; create both anew.`,
    );
  }
}
