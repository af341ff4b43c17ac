/** A moment to come. Its timer lasts until then, or until it is cancelled. */
export class Deadline {
  /** Settles at the moment; never once it is cancelled. */
  readonly passes: Promise<void>;
  readonly #timer: ReturnType<typeof setTimeout>;
  #hasPassed = false;

  constructor(seconds: number) {
    let pass: () => void;
    this.passes = new Promise((resolve) => (pass = resolve));
    this.#timer = setTimeout(() => {
      this.#hasPassed = true;
      pass();
    }, seconds * 1000);
  }

  get hasPassed(): boolean {
    return this.#hasPassed;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
