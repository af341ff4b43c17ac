import type { KV, KvWatchEntry } from '@nats-io/kv';
import type { QueuedIterator } from '@nats-io/nats-core';
import { OptimizerError } from '../errors.js';

/** What makes sense of a bucket's entries. */
interface Records {
  take(entry: KvWatchEntry): void;
}

/** The newest values of a bucket, kept up to date by a watch: what is read costs no request. */
export class Mirror<T extends Records> {
  #records: T;
  #watch: QueuedIterator<KvWatchEntry> | undefined;
  /** Counts starts: what an earlier watch still brings is not taken. */
  #turn = 0;

  constructor(
    private readonly kv: KV,
    private readonly makeRecords: () => T,
    private readonly onChange: () => void,
    private readonly onEnded: () => void,
  ) {
    this.#records = makeRecords();
  }

  get records(): T {
    return this.#records;
  }

  /** Begins, or begins anew after a connection was lost. Until all is heard again, the records are those of before. */
  async start(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const { values } = await this.kv.status();
    const watch = await this.kv.watch();
    if (turn !== this.#turn) {
      watch.stop();
      return;
    }
    this.#watch?.stop();
    this.#watch = watch;
    const records = this.makeRecords();
    const isWhole = this.#follow(watch, records);
    if (values > 0) await isWhole;
    if (turn !== this.#turn) return;
    this.#records = records;
    this.onChange();
  }

  stop(): void {
    this.#turn += 1;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** Takes what comes. @returns when all that was there at the beginning has come, or the watch has ended. */
  #follow(watch: QueuedIterator<KvWatchEntry>, records: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#takeAll(watch, records, resolve).then(resolve, reject);
    });
  }

  async #takeAll(watch: QueuedIterator<KvWatchEntry>, records: T, whole: () => void): Promise<void> {
    for await (const entry of watch) {
      takeIfSound(records, entry);
      if (entry.isUpdate) whole();
      if (records === this.#records) this.onChange();
    }
    if (watch === this.#watch) this.onEnded();
  }
}

/** What somebody else has written into the bucket concerns nobody. */
function takeIfSound(records: Records, entry: KvWatchEntry): void {
  try {
    records.take(entry);
  } catch (error) {
    if (!(error instanceof OptimizerError)) throw error;
  }
}
