/** A device keeps each kernel that it ever compiled, so that it is changed now and then. */
const CASES_PER_DEVICE = 400;

/** Devices for cases: one for many of them, and one each for those that lose it. */
export class Devices {
  #shared: GPUDevice | undefined;
  #uses = 0;
  readonly #own: GPUDevice[] = [];

  constructor(private readonly gpu: GPU) {}

  /** A device. @param isOwn whether it is to be nobody else's. */
  async take(isOwn: boolean): Promise<GPUDevice> {
    // Whoever took one of his own is done with it when the next case begins.
    if (isOwn) {
      this.#own.push(await this.#request());
      return this.#own.at(-1)!;
    }
    for (const device of this.#own.splice(0)) device.destroy();
    if (this.#uses++ >= CASES_PER_DEVICE) this.destroy();
    this.#shared ??= await this.#request();
    return this.#shared;
  }

  destroy(): void {
    for (const device of this.#own.splice(0)) device.destroy();
    this.#shared?.destroy();
    this.#shared = undefined;
    this.#uses = 0;
  }

  async #request(): Promise<GPUDevice> {
    const adapter = await this.gpu.requestAdapter();
    if (!adapter)
      throw new Error('requestAdapter() gave null: Node found no Vulkan driver that Dawn can use.');
    // Rules with the most state, and all averages, need more than every device has.
    const { maxStorageBuffersPerShaderStage } = adapter.limits;
    return adapter.requestDevice({
      label: 'fuzz',
      requiredLimits: { maxStorageBuffersPerShaderStage },
      requiredFeatures: ['timestamp-query'],
    });
  }
}
