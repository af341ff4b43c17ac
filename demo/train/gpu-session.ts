import * as tf from '@tensorflow/tfjs-core';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
// Only tfjs-core is used, so the gradients of its operations have to be registered by hand.
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { type DemoDevice, describeAdapter, openDevice, requestAdapter } from '../site/webgpu.js';

/** tfjs registers its kernels under this name; a backend under another name would have none. */
const BACKEND_NAME = 'webgpu';

/**
 * One GPUDevice, shared by TensorFlow.js and our optimizer, and everything that hangs on it.
 *
 * The device is ours: we request it and hand it to tfjs, so `close()` can give all of its memory
 * back. tfjs has one global engine, hence one session at a time.
 */
export class GpuSession {
  private closed = false;

  private constructor(
    private readonly gpu: DemoDevice,
    private readonly backend: WebGPUBackend,
  ) {}

  get device(): GPUDevice {
    return this.gpu.device;
  }

  /** What the adapter calls itself, for example `nvidia ampere` or `google swiftshader`. */
  get adapterName(): string {
    return this.gpu.adapterName;
  }

  /** The name of the adapter that a session would get, without opening one. */
  static async probe(): Promise<string> {
    return describeAdapter((await requestAdapter()).info);
  }

  /**
   * Requests a device and makes it the one that tfjs computes on.
   *
   * @param onFailure is called when the device reports an error or is lost; {@link assertHealthy} then throws it.
   */
  static async open(onFailure: () => void = () => undefined): Promise<GpuSession> {
    const gpu = await openDevice('demo device', onFailure);
    const backend = new WebGPUBackend(gpu.device, gpu.adapter.info);
    // tfjs registered a factory that would request a second device; ours takes its place.
    tf.removeBackend(BACKEND_NAME);
    tf.registerBackend(BACKEND_NAME, () => backend);
    await tf.setBackend(BACKEND_NAME);
    return new GpuSession(gpu, backend);
  }

  /** Submits what tfjs has recorded so far, so that what we submit next runs after it. */
  flush(): void {
    // submitQueue() wants an encoder, and one without an open pass. It may be empty.
    this.backend.ensureCommandEncoderReady();
    this.backend.endComputePassEncoder();
    this.backend.submitQueue();
  }

  /**
   * The GPUBuffer in which tfjs keeps a tensor, valid until the tensor is disposed.
   * `tensor.dataToGPU()` would be the documented way, but it copies into a buffer of its own.
   */
  bufferOf(tensor: tf.Tensor): GPUBuffer {
    // A tensor that tfjs computed on the CPU (it does so for tiny ones) goes to the GPU first.
    this.backend.uploadToGPU(tensor.dataId);
    const { resource } = this.backend.tensorMap.get(tensor.dataId);
    if (!(resource instanceof GPUBuffer)) {
      throw new Error(`Tensor ${tensor.id} is not in a GPUBuffer.`);
    }
    return resource;
  }

  /** Waits until the GPU has done everything submitted so far, tfjs's queue included. */
  async finish(): Promise<void> {
    this.flush();
    await this.device.queue.onSubmittedWorkDone();
  }

  /** Throws the first error that the device reported outside any error scope, or its loss, if there was one. */
  assertHealthy(): void {
    if (this.gpu.failure !== undefined) throw this.gpu.failure;
  }

  /** What an error of this training comes from: the device's failure, if it has one. */
  async causeOf(error: unknown): Promise<unknown> {
    return await this.gpu.causeOf(error);
  }

  /** Frees every buffer of tfjs and the device with everything that was made on it. */
  close(): void {
    if (this.closed) {
      return;
    }
    this.closed = true;
    tf.disposeVariables();
    tf.removeBackend(BACKEND_NAME);
    // The name must stay registered, for the next session removes it again.
    tf.registerBackend(BACKEND_NAME, () => {
      throw new Error('No GpuSession is open.');
    });
    this.gpu.close();
  }
}
