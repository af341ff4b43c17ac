/** Pieces of a long run of bytes, handed out to whoever comes next. */
export class ByteFeed {
  readonly #pieces: AsyncGenerator<Uint8Array<ArrayBuffer>, void>;
  #rest = new Uint8Array(0);
  /** Bytes that are handed out, or passed over. */
  #position = 0;

  constructor(pieces: AsyncGenerator<Uint8Array<ArrayBuffer>, void>) {
    this.#pieces = pieces;
  }

  /**
   * Bytes, when they are asked for; what is before them, and was not asked for, is passed over.
   *
   * @param byteOffset behind all that was asked for.
   */
  async *take(byteOffset: number, byteLength: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    while (this.#position < byteOffset) {
      if (!(await this.#next(byteOffset - this.#position))) return;
    }
    for (let left = byteLength; left > 0;) {
      const piece = await this.#next(left);
      if (!piece) return;
      left -= piece.byteLength;
      yield piece;
    }
  }

  /** Gives up what is left. */
  async close(): Promise<void> {
    await this.#pieces.return();
  }

  /** The next bytes: as many as that at most, none at the end. */
  async #next(byteLength: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#rest.byteLength === 0) {
      const { value, done } = await this.#pieces.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, byteLength);
    this.#rest = this.#rest.subarray(piece.byteLength);
    this.#position += piece.byteLength;
    return piece;
  }
}
