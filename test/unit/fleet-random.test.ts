/** Fleets in which peers come, die and leave at random, over a transport that is slow, deaf for a while, and fails now and then. */
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { Random } from '../../proof/random.js';
import { OptimizerError } from '../../src/errors.js';
import { type Fleet, joinFleetWith } from '../../src/fleet/join-fleet.js';
import { type MemoryTransport, memoryTransport } from '../../src/fleet/memory-transport.js';
import type { FleetEvent } from '../../src/fleet/events.js';
import type { FleetListener, FleetTransport } from '../../src/fleet/transport.js';
import { alteredTransport } from '../support/altered-transport.js';
import { FakeOuter, fakeCodec } from '../support/fake-outer.js';

const NAMES = ['a', 'b', 'c', 'd'];
const LIVES = 60;
const RUN_SECONDS = 120;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One life of a peer: it counts its steps at an element of its own. */
interface Life {
  readonly name: string;
  readonly element: number;
  readonly outer: FakeOuter;
  readonly events: FleetEvent[];
  fleet?: Fleet;
  steps: number;
  hasEnded: boolean;
}

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

class World {
  readonly memory: MemoryTransport = memoryTransport();
  readonly lives: Life[] = [];
  /** Whether things still go wrong. */
  isRough = true;
  readonly transport: FleetTransport;

  constructor(private readonly random: Random) {
    this.transport = { join: (peer, listener) => this.#roughened().join(peer, listener) };
  }

  /** Slow, and failing: before what was asked has happened, or after. Reads show what was so when changes were last heard of. */
  #roughened(): FleetTransport {
    const { random } = this;
    const heard = new Map<string, unknown>();
    const read = <T>(key: string, value: () => T): T => {
      if (!heard.has(key)) heard.set(key, value());
      return heard.get(key) as T;
    };
    const rough = async <T>(act: () => Promise<T>): Promise<T> => {
      await sleep(random.uniform() * 0.5);
      this.#mayFail();
      const result = await act();
      await sleep(random.uniform() * 0.5);
      this.#mayFail();
      return result;
    };
    const listen = (listener: FleetListener): FleetListener => ({
      changed: () => {
        setTimeout(() => (heard.clear(), listener.changed()), random.uniform() * 300);
      },
      lost: (error) => listener.lost(error),
    });
    return alteredTransport(
      this.memory,
      (seat) => ({
        members: () => read('members', () => seat.members()),
        posted: (round) => read(`posted ${round}`, () => seat.posted(round)),
        closed: (round) => read(`closed ${round}`, () => seat.closed(round)),
        snapshot: () => read('snapshot', () => seat.snapshot()),
        post: (round, bytes) => rough(() => seat.post(round, bytes)),
        fetch: (id) => rough(() => seat.fetch(id)),
        close: (close) => rough(() => seat.close(close)),
        putSnapshot: (facts, bytes) => rough(() => seat.putSnapshot(facts, bytes)),
      }),
      listen,
    );
  }

  #mayFail(): void {
    if (this.isRough && this.random.uniform() < 0.05) throw new OptimizerError('fleet', 'the server is away');
  }

  /** A peer that trains and takes part until the end of the run, or of its life. */
  async live(name: string, isDone: () => boolean): Promise<void> {
    const { random } = this;
    const life: Life = {
      name,
      element: this.lives.length,
      outer: new FakeOuter(LIVES),
      events: [],
      steps: 0,
      hasEnded: false,
    };
    this.lives.push(life);
    try {
      life.fleet = await joinFleetWith(fakeCodec, life.outer, this.transport, {
        peer: name,
        deadlineSeconds: 3,
        keepRounds: 1,
        snapshotEvery: 2,
        normFactor: 1000,
        onEvent: (event) => life.events.push(event),
      });
      while (!isDone()) {
        const count = 1 + random.integer(5);
        life.outer.step(life.element, count);
        life.steps += count;
        // Sometimes asleep for some rounds.
        await sleep(random.uniform() < 0.1 ? 10 : random.uniform());
        await life.fleet.sync({ samples: count }).catch(onlyFleet);
      }
    } catch (error) {
      onlyFleet(error);
    }
    life.hasEnded = !isDone();
  }
}

function onlyFleet(error: unknown): void {
  if (error instanceof OptimizerError && error.code === 'fleet') return;
  throw error;
}

const seed = inject('seed');
const runs = inject('all') ? 100 : 12;

describe.each(Array.from({ length: runs }, (_, k) => (seed + k) >>> 0))('seed %i', (runSeed) => {
  test('all who live end with the same state, and no step of theirs is counted twice, or lost', async () => {
    const random = new Random(runSeed);
    const world = new World(random);
    let isOver = false;
    const isDead = new Map<Life, boolean>();
    const living = new Map<string, Promise<void>>();
    const start = (name: string): void => {
      const index = world.lives.length;
      living.set(
        name,
        world.live(name, () => isOver || isDead.get(world.lives[index]!) === true),
      );
    };
    for (const name of NAMES.slice(0, 2)) start(name);
    for (let second = 0; second < RUN_SECONDS; second += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      const name = random.pick(NAMES);
      const life = world.lives.findLast((other) => other.name === name);
      if (random.uniform() > 0.1 || world.lives.length >= LIVES - NAMES.length) continue;
      if (life === undefined || isDead.get(life) === true) start(name);
      else {
        isDead.set(life, true);
        if (random.uniform() < 0.5) world.memory.drop(name);
        else void life.fleet?.leave();
      }
    }
    // Calm weather: who lives comes to the same round.
    world.isRough = false;
    isOver = true;
    await vi.advanceTimersByTimeAsync(60_000);
    await Promise.all(living.values());
    const members = await membersOf(world.memory);
    const alive = world.lives.filter((life) => {
      return !life.hasEnded && isDead.get(life) !== true && members.includes(life.name);
    });
    const ending = Promise.all(
      alive.map(async ({ fleet, outer }) => {
        const last = Math.max(...alive.map((other) => other.outer.round)) + 2;
        while (outer.round < last) await fleet!.sync();
      }),
    );
    await vi.advanceTimersByTimeAsync(120_000);
    await ending;
    const [first, ...others] = alive;
    for (const { outer } of others) expect(outer.anchor).toEqual(first!.outer.anchor);
    expectSameHistory(world.lives);
    for (const { element, outer, steps } of alive) {
      expect(outer.weights[element]).toBe(steps);
    }
    expect(Math.max(...world.lives.map(({ outer }) => outer.round))).toBeGreaterThan(5);
    await Promise.all(alive.map(({ fleet }) => fleet!.leave()));
  });
});

async function membersOf(memory: MemoryTransport): Promise<readonly string[]> {
  const seat = await memory.join('observer', { changed: () => undefined, lost: () => undefined });
  const members = seat.members();
  await seat.leave();
  return members;
}

/** Whoever applied a round applied the same deltas. */
function expectSameHistory(lives: readonly Life[]): void {
  const known = new Map<number, string>();
  for (const { outer } of lives) {
    for (const [round, checksums] of outer.history) {
      expect(known.get(round) ?? checksums).toBe(checksums);
      known.set(round, checksums);
    }
  }
}
