import { type OptimizerError, quote } from '../../errors.js';
import { type NamedBuffer, findRejected } from '../../gpu/check-buffers.js';
import { rejectLostDevice } from '../../gpu/device.js';
import { type Refusal, type Remedies, captureErrors, refusalError } from '../../gpu/refusal.js';
import { type PipelineSource, compileAll } from '../../gpu/pipelines.js';
import type { ResolvedParameter } from '../input/parameter/parameter.js';

/** Something that is made of the caller's buffers. */
export interface Assembly<T> {
  readonly make: () => T;
  /** Encodes all that binds the callers' buffers, with nothing to do. */
  readonly probe: (made: T, pass: GPUComputePassEncoder) => void;
  readonly sources: readonly PipelineSource[];
  /** Whose buffers they are. */
  readonly parameters: readonly ResolvedParameter[];
  /** Bytes of a slot of the state, for errors. */
  readonly stateByteLength: (made: T) => number;
}

/** It, and what the device has against it. */
export interface Assembled<T> {
  readonly value: T;
  /** Rejects with an OptimizerError if it is not what it should be: steps are without effect then. */
  readonly checked: Promise<void>;
}

/**
 * Makes something, whether the caller can wait or not: with kernels that are compiled already or are compiled meanwhile, and
 * the caller's buffers tried.
 */
export function assemble<T>(device: GPUDevice, assembly: Assembly<T>): Assembled<T> {
  const { value, refusal: making } = captureErrors(device, assembly.make);
  const { refusal: binding } = captureErrors(device, () => {
    const encoder = device.createCommandEncoder({ label: 'webgpu-optim probe' });
    const pass = encoder.beginComputePass({ label: 'webgpu-optim probe' });
    assembly.probe(value, pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
  });
  const check = async (): Promise<void> => {
    await compileAll(device, assembly.sources);
    // What could not be allocated cannot be bound, either.
    const unmade = await making;
    const met = unmade ?? (await binding);
    if (met) throw await explain(device, met, assembly, unmade ? value : undefined);
    rejectLostDevice(device);
  };
  const checked = check();
  // Whoever has the value decides who looks at it.
  checked.catch(() => undefined);
  return { value, checked };
}

const REMEDIES: Remedies = {
  shortage: 'Use fewer or smaller parameters, or a rule with less state.',
  rejection: 'Give buffers of the device that the optimizer was given, not destroyed and not mapped.',
};

/**
 * What an error is about: a buffer of the caller's, by its parameter, or memory.
 *
 * @param made what was being made, if it came then.
 */
async function explain<T>(
  device: GPUDevice,
  met: Refusal,
  { parameters, stateByteLength }: Assembly<T>,
  made: T | undefined,
): Promise<OptimizerError> {
  const found = met.isShortage ? undefined : await findRejected(device, parameters.flatMap(buffersOf));
  if (!found && made !== undefined) {
    // No buffer of the caller's is to blame, so that only memory can be.
    const what = `the optimizer state, ${stateByteLength(made)} bytes`;
    return refusalError(device, { ...met, isShortage: true }, what, REMEDIES);
  }
  const { message = met.message } = found ?? {};
  return refusalError(
    device,
    { ...met, isShortage: false, message },
    found ? `parameter ${quote(found.owner)}` : 'the buffers',
    REMEDIES,
  );
}

function buffersOf({ name, data, grad, microGrad = [], mask, sparse }: ResolvedParameter): NamedBuffer[] {
  const pieces = [...data, ...grad, ...microGrad, ...(mask ? [mask] : [])];
  if (sparse) pieces.push(sparse.indices, sparse.values, ...(sparse.count ? [sparse.count] : []));
  return pieces.map(({ buffer }) => ({ buffer, owner: name }));
}
