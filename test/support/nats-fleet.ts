import { type NodeConnectionOptions, connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/nats-core';
import { type NatsServer, startNatsServer } from '../../scripts/nats-server.js';
import { type Fleet, joinFleetWith } from '../../src/fleet/join-fleet.js';
import type { FleetOptions } from '../../src/fleet/options.js';
import type { FleetEvent } from '../../src/fleet/events.js';
import { type NatsTransportOptions, natsTransport } from '../../src/nats/index.js';
import { FakeOuter, fakeCodec } from './fake-outer.js';

/** A peer over NATS, with a connection of its own. */
export interface NatsPeer {
  readonly connection: NatsConnection;
  readonly outer: FakeOuter;
  readonly fleet: Fleet;
  readonly events: FleetEvent[];
}

/** How a peer of a test differs from the usual one. */
export interface NatsPeerOptions {
  readonly connection?: NodeConnectionOptions;
  readonly transport?: Partial<NatsTransportOptions>;
  readonly fleet?: Partial<FleetOptions>;
  readonly outer?: FakeOuter;
}

/** Servers and connections of a test, ended together. */
export class NatsWorld {
  readonly #servers: NatsServer[] = [];
  readonly #connections: NatsConnection[] = [];

  async server(config?: string): Promise<NatsServer> {
    const server = await startNatsServer(config);
    this.#servers.push(server);
    return server;
  }

  async connection(server: NatsServer, options: NodeConnectionOptions = {}): Promise<NatsConnection> {
    const connection = await connect({
      servers: server.url,
      reconnectTimeWait: 50,
      reconnectJitter: 0,
      maxReconnectAttempts: -1,
      ...options,
    });
    this.#connections.push(connection);
    return connection;
  }

  async join(server: NatsServer, peer: string, options: NatsPeerOptions = {}): Promise<NatsPeer> {
    const connection = await this.connection(server, options.connection);
    const transport = natsTransport(connection, { run: 'test', ...options.transport });
    const { outer = new FakeOuter() } = options;
    const events: FleetEvent[] = [];
    const fleet = await joinFleetWith(fakeCodec, outer, transport, {
      peer,
      deadlineSeconds: 20,
      onEvent: (event) => events.push(event),
      ...options.fleet,
    });
    return { connection, outer, fleet, events };
  }

  async end(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await Promise.all(this.#servers.map((server) => server.destroy()));
  }
}
