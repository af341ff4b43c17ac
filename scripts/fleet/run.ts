/** One run of a fleet: its peers, who of them is killed, and what came of them. */
import type { Browser } from 'puppeteer';
import type { PeerMessage, PeerRequest, PeerSummary } from '../../demo/headless/fleet/protocol.js';
import { Random } from '../../proof/random.js';
import { COMPRESSIONS, type CompressionName, type FleetCommand } from './command.js';
import { PeerPage } from './peer-page.js';
import type { FleetProgress } from './progress.js';

/** Where peers run and meet. */
export interface FleetPlace {
  readonly browser: Browser;
  /** The page of peers. */
  readonly pageUrl: string;
  /** The websocket of the NATS server. */
  readonly natsUrl: string;
}

/** What a run came to. */
export interface FleetResult {
  readonly compression: CompressionName;
  /** Of those who took part to the end, without the poisoned one. */
  readonly summaries: readonly PeerSummary[];
  /** What happened beside the training. */
  readonly events: readonly string[];
  /** Rounds in which the poisoned peer was refused. */
  readonly poisonRefused: number;
  readonly adapter: string;
}

/** The peer whose deltas are spoilt. */
const POISONED = 'poisoned';
/** The chance that somebody is killed in a round. */
const KILL_CHANCE = 0.5;

/** Trains one peer with as many samples as a fleet has. */
export async function runAlone(
  place: FleetPlace,
  command: FleetCommand,
  progress: FleetProgress,
): Promise<PeerSummary> {
  const request = requestOf(command, 'alone', 0);
  const page = await PeerPage.open(place.browser, place.pageUrl, request, (message) =>
    progress.show('alone', message),
  );
  const summary = await page.train();
  await page.close();
  return summary!;
}

function requestOf(command: FleetCommand, peer: string, index: number): PeerRequest {
  const { task, seed, every, rounds, peers } = command;
  return { peer, task, seed, every, rounds, share: { index, count: peers } };
}

/** A fleet that trains once. */
export class FleetRun {
  readonly #random: Random;
  readonly #living: PeerPage[] = [];
  readonly #trainings: Promise<PeerSummary | undefined>[] = [];
  readonly #changes: Promise<void>[] = [];
  readonly #events: string[] = [];
  readonly #refusedRounds = new Set<number>();
  #newestRound = -1;
  #fail: (error: unknown) => void = () => {};

  constructor(
    private readonly place: FleetPlace,
    private readonly command: FleetCommand,
    private readonly compression: CompressionName,
    private readonly progress: FleetProgress,
  ) {
    this.#random = new Random(command.seed);
  }

  async train(): Promise<FleetResult> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    return Promise.race([this.#train(), failed]);
  }

  async #train(): Promise<FleetResult> {
    const { peers, poison } = this.command;
    // One after the other: the first one bundles and compiles for all.
    for (let index = 0; index < peers; index++) await this.#open(`peer-${index + 1}`, index);
    if (poison) await this.#open(POISONED, 0);
    const { adapter } = this.#living[0]!;
    // All are there by now: nobody closes a round without the others.
    for (const peer of this.#living) this.#start(peer);
    const summaries: PeerSummary[] = [];
    // Others may come meanwhile.
    for (let k = 0; k < this.#trainings.length; k++) {
      const summary = await this.#trainings[k];
      if (summary) summaries.push(summary);
      await Promise.all(this.#changes);
    }
    for (const peer of this.#living) await peer.close();
    return {
      compression: this.compression,
      summaries,
      events: this.#events,
      poisonRefused: this.#refusedRounds.size,
      adapter,
    };
  }

  async #open(peer: string, index: number): Promise<PeerPage> {
    const { place, command, compression } = this;
    const fleet = {
      url: place.natsUrl,
      run: `run-${compression}`,
      compress: COMPRESSIONS[compression],
      isPoisoned: peer === POISONED,
    };
    const request = { ...requestOf(command, peer, index), fleet };
    const page = await PeerPage.open(place.browser, place.pageUrl, request, (message) =>
      this.#receive(peer, message),
    );
    this.#living.push(page);
    return page;
  }

  #start(peer: PeerPage): void {
    const isPoisoned = peer.request.peer === POISONED;
    const training = peer.train().then((summary) => (isPoisoned ? undefined : summary));
    training.catch(this.#fail);
    this.#trainings.push(training);
  }

  #receive(peer: string, message: PeerMessage): void {
    this.progress.show(peer, message);
    // All begin with the snapshot of round 0.
    if (message.kind === 'loaded' && message.round > 0) {
      this.#note(`${peer} loaded the snapshot of round ${message.round}`);
    }
    if (message.kind !== 'round' || message.round <= this.#newestRound) return;
    const { round, refused } = message;
    this.#newestRound = round;
    for (const { peer: refusedPeer, reason } of refused) {
      this.#note(`round ${round}: the delta of ${refusedPeer} was refused: ${reason}`);
      if (refusedPeer === POISONED) this.#refusedRounds.add(round);
    }
    if (!this.command.kill) return;
    const change = this.#killSometimes(round);
    change.catch(this.#fail);
    this.#changes.push(change);
  }

  /** Kills somebody, and has another one come in its place. */
  async #killSometimes(round: number): Promise<void> {
    const candidates = this.#living.filter(({ request }) => request.peer !== POISONED);
    const isDrawn = this.#random.uniform() < KILL_CHANCE;
    // Who comes is to be of use for a round or two.
    if (!isDrawn || candidates.length < 2 || round >= this.command.rounds - 3) return;
    const victim = this.#random.pick(candidates);
    const { peer, share } = victim.request;
    this.#living.splice(this.#living.indexOf(victim), 1);
    this.#note(`after round ${round} ${peer} was killed`);
    await victim.kill();
    const successor = await this.#open(`${peer}-again`, share.index);
    this.#note(`${successor.request.peer} joined in its place`);
    this.#start(successor);
  }

  #note(text: string): void {
    this.#events.push(text);
    this.progress.say(text);
  }
}
