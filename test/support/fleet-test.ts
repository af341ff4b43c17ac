import { afterEach, beforeEach, expect, vi } from 'vitest';
import { type Fleet, joinFleetWith } from '../../src/fleet/join-fleet.js';
import { type MemoryTransport, memoryTransport } from '../../src/fleet/memory-transport.js';
import type { FleetEvent } from '../../src/fleet/events.js';
import type { FleetOptions } from '../../src/fleet/options.js';
import type { FleetTransport } from '../../src/fleet/transport.js';
import { FakeOuter, fakeCodec } from './fake-outer.js';

/** A peer of a fleet, with all that it was told. */
export interface FleetPeer {
  readonly outer: FakeOuter;
  readonly fleet: Fleet;
  readonly events: FleetEvent[];
}

/** How a peer of a test differs from the usual one. */
export type FleetPeerOptions = Partial<FleetOptions> & {
  readonly transport?: FleetTransport;
  readonly outer?: FakeOuter;
};

/** Fleets within the process, on a clock that tests turn, and that nobody may leave a timer of. */
export interface FleetTest {
  /** The network of the present test. */
  readonly memory: MemoryTransport;
  readonly join: (peer: string, options?: FleetPeerOptions) => Promise<FleetPeer>;
}

/** Sets a file's tests up: each has a network of its own. */
export function fleetTest(): FleetTest {
  let memory: MemoryTransport;
  beforeEach(() => {
    vi.useFakeTimers();
    memory = memoryTransport();
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  return {
    get memory() {
      return memory;
    },
    join: async (peer, { transport = memory, outer = new FakeOuter(), ...options } = {}) => {
      const events: FleetEvent[] = [];
      const onEvent = (event: FleetEvent): number => events.push(event);
      const fleet = await joinFleetWith(fakeCodec, outer, transport, {
        peer,
        deadlineSeconds: 60,
        onEvent,
        ...options,
      });
      return { outer, fleet, events };
    },
  };
}
