import type * as Ort from 'onnxruntime-web';
import { captureErrors, refusalError } from '../../gpu/refusal.js';
import { Reader } from '../../gpu/copies/readback.js';
import { OptimizerError } from '../../errors.js';
import { OwnBuffers } from '../shared/own-buffers.js';
import { type InitialWeights, countElements, isFloat32Array } from './parameters.js';
import type { OnnxRuntime } from './session.js';

/** Where a float32 tensor lies for good. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly dims: readonly number[];
  readonly label: string;
}

/** ONNX Runtime copies buffers in multiples of 16 bytes, which must not reach beyond their end. */
const GRANULE = 16;

/** Gives tensors their places in GPU buffers, and frees the buffers that it made. */
export class TensorStore {
  readonly #ort: OnnxRuntime;
  readonly #device: GPUDevice;
  readonly #label: string;
  readonly #own: OwnBuffers;
  readonly #reader: Reader;
  #isDestroyed = false;

  /** @param label prefix of the buffers' labels. */
  constructor(ort: OnnxRuntime, device: GPUDevice, label: string) {
    this.#ort = ort;
    this.#device = device;
    this.#label = label;
    this.#own = new OwnBuffers(device, label);
    this.#reader = new Reader(device, label);
  }

  /**
   * Runs `make`, which allocates. Nothing is left if the device runs out of memory.
   *
   * @throws OptimizerError `out-of-memory`.
   */
  async fill<T>(make: () => T): Promise<T> {
    const { value, refusal } = captureErrors(this.#device, make);
    const met = await refusal;
    if (!met) return value;
    this.destroy();
    const remedy = 'Train fewer or smaller tensors.';
    throw refusalError(this.#device, met, 'weights, gradients and outputs', {
      shortage: remedy,
      rejection: remedy,
    });
  }

  /** A place for a tensor, zeros at first. */
  allocate(name: string, dims: readonly number[]): Place {
    const byteLength = Math.ceil((4 * countElements(dims)) / GRANULE) * GRANULE;
    return { buffer: this.#own.make(name, byteLength), dims, label: `${this.#label} ${name}` };
  }

  /** The place of weights: where they are if that is on the GPU, else a copy of them there. */
  place(name: string, dims: readonly number[], initial: InitialWeights): Place {
    if (!isFloat32Array(initial) && initial.location === 'gpu-buffer') {
      return { buffer: initial.gpuBuffer, dims, label: `${this.#label} ${name}` };
    }
    const place = this.allocate(name, dims);
    const values = isFloat32Array(initial) ? initial : (initial.data as Float32Array);
    this.#device.queue.writeBuffer(place.buffer, 0, values as Float32Array<ArrayBuffer>);
    return place;
  }

  /**
   * A place as a tensor of ONNX Runtime; a new one each time, for a tensor that has been read is one on the CPU from then on,
   * and its buffer is not looked at again.
   */
  tensorAt({ buffer, dims, label }: Place): Ort.Tensor {
    const byteLength = 4 * countElements(dims);
    return this.#ort.Tensor.fromGpuBuffer(buffer, {
      dataType: 'float32',
      dims,
      download: async () => {
        if (this.#isDestroyed) {
          throw new OptimizerError('destroyed', `${label} was read after destroy(); read it before.`);
        }
        const [bytes] = await this.#reader.read([[{ buffer, byteOffset: 0, byteLength }]], label);
        return new Float32Array(bytes!);
      },
    });
  }

  /** Frees what was made here; tensors that were given stay. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#own.destroy();
    this.#reader.destroy();
  }
}
