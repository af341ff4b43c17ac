import { SingleBar } from 'cli-progress';

/** Says on stderr which heat is measured, and how far the whole is. */
export class Progress {
  readonly #bar = new SingleBar({
    format: '{bar} {percentage}% | {heat} | {duration_formatted}',
    stream: process.stderr,
    hideCursor: true,
    // The rest of 80 columns is the heat's.
    barsize: 20,
  });

  /** @param heats how many there are. */
  constructor(private readonly heats: number) {
    this.#bar.start(heats, 0, { heat: '' });
  }

  /** The heat with this index begins. */
  begin(index: number, heat: string): void {
    // Without a terminal there is no bar, and a silent run of minutes looks dead.
    if (!process.stderr.isTTY) console.error(`${index + 1}/${this.heats} ${heat}`);
    this.#bar.update(index, { heat });
  }

  /** A share of the present heat is done. */
  advance(share: number): void {
    this.#bar.increment(share);
  }

  stop(): void {
    this.#bar.update(this.heats, { heat: 'done' });
    this.#bar.stop();
  }
}
