import { type Tensor, type Variable, backend, engine, getBackend, version_core } from '@tensorflow/tfjs-core';
import { isDeviceLost } from '../../gpu/device.js';
import { OptimizerError, quote } from '../../errors.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { isBuffer, isCommandEncoder, isDevice, isTexture } from '../shared/gpu-objects.js';

/** The version that this file was written for. */
const SUPPORTED = '4.22';

/** What the backend knows of a tensor. */
interface TensorData {
  /** The values in the CPU's memory, where they are there. */
  values: unknown;
  /** Where it lies on the GPU, if it does. */
  readonly resource?: unknown;
}

/** What of tfjs's `WebGPUBackend` is used here; some of it is private there. */
interface Internals {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): TensorData | undefined };
  readonly commandEncoder: GPUCommandEncoder | null;
  refCount(dataId: object): number;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const METHODS = [
  'refCount',
  'uploadToGPU',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
] as const satisfies (keyof Internals)[];

/** TensorFlow.js's WebGPU backend: where its tensors lie, and its queue. All that is known of its inside is here. */
export class TfjsBackend {
  // Weights whose values tfjs no longer keeps a copy of in the CPU's memory.
  readonly #uncached = new WeakSet<TensorData>();
  // Of buffers that tensors lie in, their bytes: to ask a thousand buffers at every step takes longer.
  readonly #sizes = new WeakMap<GPUBuffer, number>();

  private constructor(private readonly internals: Internals) {}

  /**
   * The backend in use.
   *
   * @throws OptimizerError `invalid-config` unless it is the WebGPU backend as this adapter knows it.
   */
  static current(): TfjsBackend {
    rejectOtherBackend();
    const internals: unknown = backend();
    rejectUnknownInside(internals);
    return new TfjsBackend(internals);
  }

  /**
   * Throws unless tfjs still computes on this backend, and the backend can.
   *
   * @throws OptimizerError `invalid-config` if tfjs has another backend by now, `device-lost`.
   */
  assertCurrent(): void {
    rejectOtherBackend();
    if ((backend() as unknown) !== this.internals) {
      throw new OptimizerError(
        'invalid-config',
        "TensorFlow.js has another WebGPU backend than at this optimizer's first step; create a new optimizer.",
      );
    }
    if (!isDeviceLost(this.device)) return;
    throw new OptimizerError(
      'device-lost',
      `the GPUDevice of TensorFlow.js ${version_core} is lost, with all its tensors; reload the page, or give tfjs a ` +
        'WebGPUBackend on a new device, and make the variables anew and a new optimizer.',
    );
  }

  /** Whether tfjs still computes on this backend, and the backend can. */
  get isUsable(): boolean {
    return (backend() as unknown) === this.internals && !isDeviceLost(this.device);
  }

  /** The device that tfjs computes on. */
  get device(): GPUDevice {
    return this.internals.device;
  }

  /**
   * The buffer in which tfjs keeps a tensor; uploaded first where it is only in the CPU's memory. tfjs's buffers begin
   * at the tensor and may be longer. Valid until the tensor is disposed.
   *
   * @param what the tensor, for errors.
   * @throws OptimizerError `invalid-parameter` if it is a texture, `invalid-config` if it is what this adapter does not know.
   */
  bufferOf(tensor: Tensor, what: () => string): GPUBuffer {
    const { tensorMap } = this.internals;
    let { resource } = tensorMap.get(tensor.dataId) ?? {};
    if (!resource) {
      this.internals.uploadToGPU(tensor.dataId);
      resource = tensorMap.get(tensor.dataId)?.resource;
    }
    const size = this.#sizes.get(resource as GPUBuffer) ?? this.#checkResource(resource, what);
    if (size < 4 * tensor.size) {
      throw unknownInside(`keeps ${what()} in a buffer of ${size} bytes, where it has ${4 * tensor.size}`);
    }
    return resource as GPUBuffer;
  }

  /** @returns the bytes of what is a buffer to be bound. */
  #checkResource(resource: unknown, what: () => string): number {
    if (isTexture(resource)) {
      throw new OptimizerError(
        'invalid-parameter',
        `${what()} lies in ${quote(resource)}, not in a GPUBuffer; copy it with tf.add(x, 0).`,
      );
    }
    if (!isBuffer(resource)) {
      throw unknownInside(`keeps ${what()} in ${quote(resource)}, not in a GPUBuffer`);
    }
    const { size, usage } = resource;
    if ((usage & BufferUsage.STORAGE) === 0) {
      throw unknownInside(`keeps ${what()} in a buffer of usage 0x${usage.toString(16)}, without STORAGE`);
    }
    this.#sizes.set(resource, size);
    return size;
  }

  /**
   * The buffer of a variable, for its weights to be changed in place: nothing else sees them change. One that lies on another
   * of tfjs's backends is moved here first, as by tfjs's own operations. Tensors are
   * immutable in tfjs, so where others share the variable's data (its initial value, a clone, a reshape), it gets a copy.
   *
   * @throws OptimizerError as {@link bufferOf}.
   */
  ownBufferOf(variable: Variable, what: () => string): GPUBuffer {
    // Made or read under another backend, it lies there; to ask for it is how tfjs moves it. Only then are its references here.
    this.internals.tensorMap.get(variable.dataId);
    const refCount: unknown = this.internals.refCount(variable.dataId);
    if (typeof refCount !== 'number' || !(refCount >= 1)) {
      throw unknownInside(`counts ${quote(refCount)} references to ${what()}`);
    }
    if (refCount > 1) {
      this.internals.uploadToGPU(variable.dataId);
      const { tensorRef } = variable.dataToGPU();
      variable.assign(tensorRef);
      tensorRef.dispose();
    }
    const buffer = this.bufferOf(variable, what);
    this.#stopCaching(this.internals.tensorMap.get(variable.dataId)!, what);
    return buffer;
  }

  /**
   * Lets `encode` add to tfjs's own commands, behind all that tfjs has recorded, and submits both as one. After it, what
   * others submit runs behind the step.
   */
  submit(encode: (encoder: GPUCommandEncoder) => void): void {
    const { internals } = this;
    internals.ensureCommandEncoderReady();
    internals.endComputePassEncoder();
    encode(internals.commandEncoder!);
    internals.submitQueue();
  }

  /** Submits what tfjs has recorded, for what others submit to run behind it. */
  flush(): void {
    if (this.internals.commandEncoder) this.submit(() => undefined);
  }

  /**
   * tfjs remembers the values it has read from the GPU, for it takes them to be for ever. A read that is under way would
   * put them back after the step, so it is not enough to clear them.
   */
  #stopCaching(data: TensorData, what: () => string): void {
    if (this.#uncached.has(data)) return;
    if (!('values' in data)) throw unknownInside(`has no values of ${what()}`);
    this.#uncached.add(data);
    Object.defineProperty(data, 'values', { get: () => null, set() {} });
  }
}

/**
 * Whether tfjs computes on its WebGPU backend.
 *
 * @throws OptimizerError `invalid-config` if it has no backend yet.
 */
export function isOnWebgpu(): boolean {
  // tfjs has the name of a backend as soon as that is asked for: while it is being made, and when it could not be.
  const isMade = Reflect.get(engine(), 'backendInstance') !== null;
  const name = getBackend() as string | null | undefined;
  if (name && isMade) return name === 'webgpu';
  throw new OptimizerError(
    'invalid-config',
    `TensorFlow.js has no backend yet${name ? `: ${quote(name)} is not there, or not ready` : ''}; await tf.ready() first.`,
  );
}

function rejectOtherBackend(): void {
  if (isOnWebgpu()) return;
  throw new OptimizerError(
    'invalid-config',
    `TensorFlow.js computes on ${quote(getBackend())}; import '@tensorflow/tfjs-backend-webgpu' and await tf.setBackend('webgpu'); ` +
      'where the browser has no WebGPU, new FusedOptimizer(…).orElse(tf.train.adam(…)) takes that one.',
  );
}

/**
 * All variables by their names.
 *
 * @throws OptimizerError `invalid-config` if tfjs does not say.
 */
export function registeredVariables(): Readonly<Record<string, Variable>> {
  const variables: unknown = engine().registeredVariables;
  if (typeof variables === 'object' && variables !== null) return variables as Record<string, Variable>;
  throw unknownInside(`shows ${quote(variables)} as its registered variables`);
}

function rejectUnknownInside(internals: unknown): asserts internals is Internals {
  const given = internals as Partial<Internals>;
  const missing = [
    ...(isDevice(given.device) ? [] : ['device']),
    ...(typeof given.tensorMap?.get === 'function' ? [] : ['tensorMap']),
    ...('commandEncoder' in given ? [] : ['commandEncoder']),
    ...METHODS.filter((name) => typeof given[name] !== 'function'),
  ];
  if (missing.length > 0) throw unknownInside(`has no ${missing.join(', ')}`);
  given.ensureCommandEncoderReady!();
  if (isCommandEncoder(given.commandEncoder)) return;
  throw unknownInside(`has ${quote(given.commandEncoder)} as its commandEncoder`);
}

/** An error that says what is not as this file knows it, which versions meet, and which to install. */
function unknownInside(what: string): OptimizerError {
  return new OptimizerError(
    'invalid-config',
    `TensorFlow.js's WebGPU backend ${what}: this is TensorFlow.js ${version_core}, and the adapter supports ${SUPPORTED}; ` +
      `install @tensorflow/tfjs-core and @tensorflow/tfjs-backend-webgpu ${SUPPORTED}.`,
  );
}
