import { wsconnect } from '@nats-io/nats-core';
import { natsTransport } from '../../../src/nats/index.js';
import { type Fleet, OuterOptimizer, type RoundReport, joinFleet } from '../../../src/outer/index.js';
import { GpuSession } from '../../train/gpu-session.js';
import { Network } from './network.js';
import { poisonedTransport } from './poison.js';
import type { FleetRequest, PeerMessage, PeerRequest, PeerSummary } from './protocol.js';
import { type SharedTask, endlessBatches, openShare } from './shares.js';

/** Steps between two reports of a peer that trains alone, and at most between those of one in a fleet. */
const REPORT_EVERY = 25;
const DEADLINE_SECONDS = 90;
const EXPIRY_SECONDS = 10;

interface Opened {
  readonly request: PeerRequest;
  readonly session: GpuSession;
  readonly shared: SharedTask;
  readonly network: Network;
  readonly joined: { readonly outer: OuterOptimizer; readonly fleet: Fleet } | undefined;
}

let opened: Opened | undefined;
/** What of its steps the fleet has made, or who trains alone: the learning rate falls to 0 along a line. */
let progress = 0;

window.fleetPeer = {
  async open(request) {
    const session = await GpuSession.open();
    const { fleet, share } = request;
    // Who trains alone has all examples.
    const shared = await openShare(request.task, fleet ? share : { index: 0, count: 1 });
    const network = await Network.create(session, shared, request.seed, () => 1 - progress);
    opened = { request, session, shared, network, joined: fleet && (await join(network, request, fleet)) };
    return session.adapterName;
  },

  start() {
    train(opened!).then(
      (summary) => report({ kind: 'done', summary }),
      (error: unknown) =>
        report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
  },
};

async function join(
  network: Network,
  { peer, every }: PeerRequest,
  { url, run, compress, isPoisoned }: FleetRequest,
): Promise<NonNullable<Opened['joined']>> {
  const connection = await wsconnect({ servers: url, maxReconnectAttempts: -1 });
  const transport = natsTransport(connection, { run, expirySeconds: EXPIRY_SECONDS });
  const outer = await OuterOptimizer.create(network.optimizer, { every, compress });
  const fleet = await joinFleet(outer, isPoisoned ? poisonedTransport(transport) : transport, {
    peer,
    deadlineSeconds: DEADLINE_SECONDS,
    onEvent: (event) => {
      if (event.kind === 'loaded') void report({ kind: 'loaded', round: event.to });
      else if (event.kind === 'trouble') console.warn(event.error);
    },
  });
  return { outer, fleet };
}

async function train(from: Opened): Promise<PeerSummary> {
  const { session, network, joined } = from;
  const trained = joined ? await trainInFleet(from, joined) : await trainAlone(from);
  session.assertHealthy();
  const found = await network.evaluate();
  const weights = await network.hash();
  await joined?.fleet.leave();
  return { ...found, ...trained, elementCount: network.elementCount, weights };
}

async function trainAlone({ request, shared, network }: Opened): Promise<Trained> {
  const { every, rounds, share, seed } = request;
  const totalSteps = every * rounds * share.count;
  const batches = endlessBatches(shared, seed);
  for (let step = 1; step <= totalSteps; step++) {
    progress = (step - 1) / totalSteps;
    network.step(batches.next().value);
    if (step % REPORT_EVERY === 0 || step === totalSteps) {
      await report({ kind: 'progress', step, totalSteps, loss: await network.takeLoss() });
    }
  }
  return { steps: totalSteps, sentByteLength: 0, hasAnchor: true };
}

async function trainInFleet(
  { request, shared, network }: Opened,
  { outer, fleet }: NonNullable<Opened['joined']>,
): Promise<Trained> {
  const { every, rounds, share, seed } = request;
  // Each share is read in an order of its own.
  const batches = endlessBatches(shared, seed + share.index);
  let steps = 0;
  let sentByteLength = 0;
  let last: RoundReport | undefined;
  while (outer.round < rounds) {
    for (let step = 1; step <= every; step++) {
      progress = (outer.round + (step - 1) / every) / rounds;
      network.step(batches.next().value);
      steps++;
      if (step % REPORT_EVERY !== 0 && step !== every) continue;
      const loss = await network.takeLoss();
      await report({ kind: 'progress', step: outer.round * every + step, totalSteps: rounds * every, loss });
    }
    last = await fleet.sync({ samples: every * shared.batchSize });
    sentByteLength += last.byteLengthSent;
    await report({ kind: 'round', round: last.round, refused: last.refused });
  }
  return { steps, sentByteLength, hasAnchor: last?.isOwnTaken ?? false };
}

type Trained = Pick<PeerSummary, 'steps' | 'sentByteLength' | 'hasAnchor'>;

async function report(message: PeerMessage): Promise<void> {
  await window.reportPeer?.(message);
}
