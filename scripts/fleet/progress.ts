/** How a fleet shows on a terminal, and where there is none. */
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { PeerMessage } from '../../demo/headless/fleet/protocol.js';

/** Shows peers as they train. */
export interface FleetProgress {
  show(peer: string, message: PeerMessage): void;
  /** Something that happened. */
  say(text: string): void;
  stop(): void;
}

/** A bar per peer on a terminal; elsewhere (a log, a pipe) lines. */
export function createFleetProgress(title: string, stream: NodeJS.WriteStream): FleetProgress {
  return stream.isTTY ? new Bars(title, stream) : new Lines(title, stream);
}

class Bars implements FleetProgress {
  readonly #bars = new Map<string, SingleBar>();
  readonly #all: MultiBar;

  constructor(
    private readonly title: string,
    stream: NodeJS.WriteStream,
  ) {
    this.#all = new MultiBar(
      {
        format: '{peer} {bar} {value}/{total} · loss {loss} · {eta_formatted}',
        stream,
        barsize: 20,
        hideCursor: true,
      },
      Presets.shades_classic,
    );
    this.say('preparing …');
  }

  show(peer: string, message: PeerMessage): void {
    if (message.kind !== 'progress') return;
    const { step, totalSteps, loss } = message;
    const bar = this.#bars.get(peer) ?? this.#all.create(totalSteps, 0, { peer, loss: '–' });
    this.#bars.set(peer, bar);
    bar.update(step, { loss: loss.toFixed(4) });
  }

  say(text: string): void {
    this.#all.log(`${this.title}: ${text}\n`);
  }

  stop(): void {
    this.#all.stop();
  }
}

class Lines implements FleetProgress {
  constructor(
    private readonly title: string,
    private readonly stream: NodeJS.WriteStream,
  ) {}

  show(peer: string, message: PeerMessage): void {
    if (message.kind !== 'progress') return;
    this.say(`${peer}: step ${message.step}/${message.totalSteps}, loss ${message.loss.toFixed(4)}`);
  }

  say(text: string): void {
    this.stream.write(`${this.title}: ${text}\n`);
  }

  stop(): void {}
}
