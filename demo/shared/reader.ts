/** Reads bytes back from the GPU, one read at a time, through one buffer that is made once. */
export class Reader {
  #isBusy = false;
  readonly #staging: GPUBuffer;

  constructor(
    private readonly device: GPUDevice,
    private readonly byteLength: number,
    private readonly label: string,
  ) {
    this.#staging = device.createBuffer({
      label: `${label} read-back`,
      size: byteLength,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** Whether a read is under way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /**
   * Bytes of a buffer, as they are after what has been submitted; without a range the first, as many as it has room for.
   *
   * @throws Error if a read is under way, or the reader is destroyed meanwhile.
   */
  async read(source: GPUBuffer, byteOffset = 0, byteLength = this.byteLength): Promise<ArrayBuffer> {
    if (this.#isBusy) throw new Error(`${this.label} is being read; ask isBusy first.`);
    this.#isBusy = true;
    const encoder = this.device.createCommandEncoder({ label: `${this.label} read-back` });
    encoder.copyBufferToBuffer(source, byteOffset, this.#staging, 0, byteLength);
    this.device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ, 0, byteLength);
    const bytes = this.#staging.getMappedRange(0, byteLength).slice(0);
    this.#staging.unmap();
    this.#isBusy = false;
    return bytes;
  }

  destroy(): void {
    this.#staging.destroy();
  }
}
