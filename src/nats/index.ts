/**
 * A fleet over NATS: the network under `joinFleet` of `webgpu-optim/outer`.
 *
 * @module webgpu-optim/nats
 */
export { OptimizerError, type OptimizerErrorCode } from '../errors.js';
export type { FleetTransport } from '../fleet/transport.js';
export { natsTransport, type NatsTransportOptions } from './nats-transport.js';
