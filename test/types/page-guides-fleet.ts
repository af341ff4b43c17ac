/** The TypeScript of docs/guides/fleet.md: `npm run docs` copies it, `npm run typecheck` is the test. */
import { wsconnect } from '@nats-io/nats-core';
import { natsTransport } from 'webgpu-optim/nats';

export const connection = await wsconnect({ servers: 'wss://nats.example.org', token, maxReconnectAttempts: -1 });
export const fleet = await joinFleet(outer, natsTransport(connection, { run: 'moby-dick' }), {
  peer: 'laptop',
  deadlineSeconds: 60,
});
while (outer.round < 100) {
  for (let step = 0; step < 50; step++) await trainOneStep();
  await fleet.sync({ samples: 50 * 64 });
}
