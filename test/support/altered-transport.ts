import type { FleetListener, FleetSeat, FleetTransport } from '../../src/fleet/transport.js';

/** A transport whose seats do some things otherwise. */
export function alteredTransport(
  transport: FleetTransport,
  change: (seat: FleetSeat) => Partial<FleetSeat>,
  listen: (listener: FleetListener) => FleetListener = (listener) => listener,
): FleetTransport {
  return {
    join: async (peer, listener) => {
      const seat = await transport.join(peer, listen(listener));
      const own: FleetSeat = {
        members: () => seat.members(),
        posted: (round) => seat.posted(round),
        closed: (round) => seat.closed(round),
        snapshot: () => seat.snapshot(),
        post: (round, bytes) => seat.post(round, bytes),
        fetch: (id) => seat.fetch(id),
        close: (close) => seat.close(close),
        putSnapshot: (facts, bytes) => seat.putSnapshot(facts, bytes),
        leave: () => seat.leave(),
      };
      return { ...own, ...change(own) };
    },
  };
}
