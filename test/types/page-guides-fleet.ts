/** The TypeScript of docs/guides/fleet.md: `npm run docs` copies it, `npm run typecheck` is the test. */
import { wsconnect } from '@nats-io/nats-core';
import { natsTransport } from '../../src/nats/index.js';
import { type OuterOptimizer, joinFleet } from '../../src/outer/index.js';

export async function train(outer: OuterOptimizer, trainOneStep: () => Promise<void>): Promise<void> {
  const servers = 'wss://nats.example.org';
  const connection = await wsconnect({ servers, token: 'a secret', maxReconnectAttempts: -1 });
  const transport = natsTransport(connection, { run: 'moby-dick' });
  const fleet = await joinFleet(outer, transport, { peer: 'laptop', deadlineSeconds: 60 });
  while (outer.round < 100) {
    while (!outer.isDue) await trainOneStep();
    await fleet.sync({ samples: 50 * 64 });
  }
  await fleet.leave();
  await connection.close();
}
