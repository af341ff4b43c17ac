import { type ArenaBuffer, rejectDestroyedArena as reject } from '../gpu/arena-buffers.js';

export { type ArenaBuffer, arenasAmong, paddingOf, registerArenaBuffer } from '../gpu/arena-buffers.js';

/** @throws OptimizerError `destroyed` if one of them is. */
export function rejectDestroyedArena(arenas: readonly ArenaBuffer[], what: string): void {
  reject(arenas, `${what}()`);
}
