import { insidesOf } from '../engine/insides.js';
import type { Optimizer } from '../engine/optimizer.js';
import type { LoadOptions, LoadedNames } from '../engine/saved/state-dict.js';
import type { Rule } from '../rules/rule.js';
import type { SafetensorsSource } from '../safetensors/source.js';
import { loadInto } from './load.js';

/** What `loadCheckpoint` is told beside the source. */
export interface LoadCheckpointOptions extends LoadOptions {
  /** Ends the work: what is under way rejects with the signal's reason, and nothing has changed. */
  signal?: AbortSignal;
}

/**
 * Resumes a run from what `saveCheckpoint` wrote: state, averages, counts, options, which parameters rest, and the weights, if the file
 * has them. Steps go on as if there had been no pause, bit for bit.
 *
 * The file is read in pieces, onto the GPU, and its checksum is verified before anything of the run changes: a file that was cut or
 * changed is refused whole. So it takes GPU memory for what is loaded until then, and little on the host.
 *
 * @param optimizer one of the same rule and parameters, not between `eval()` and `train()`.
 * @param source as of `readSafetensors`: a Blob or File, a FileSystemFileHandle, a FileSystemSyncAccessHandle, an open file of Node, a stream, or
 *   bytes.
 * @param options see `Optimizer.loadStateDict` for `strict`; weights of parameters that the file lacks stay then, too.
 * @returns which parameters were loaded, which the file does not have, and which of the file's are not here.
 * @throws OptimizerError `invalid-safetensors` or `invalid-checkpoint` for a file that is none, or was cut or changed;
 *   `invalid-state-dict` for one that does not fit; `invalid-parameter` for weights in buffers without COPY_DST; `out-of-memory`,
 *   `device-lost`. Nothing changes then.
 * @example const { missing } = await loadCheckpoint(optimizer, await handle.getFile(), { strict: false });
 */
export async function loadCheckpoint<R extends Rule>(
  optimizer: Optimizer<R>,
  source: SafetensorsSource,
  options?: LoadCheckpointOptions,
): Promise<LoadedNames>;
export async function loadCheckpoint(
  optimizer: unknown,
  source: SafetensorsSource,
  options?: unknown,
): Promise<LoadedNames> {
  return loadInto(insidesOf(optimizer, 'loadCheckpoint()'), source, options);
}
