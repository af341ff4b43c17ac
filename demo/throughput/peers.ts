/** Who is measured on the Throughput page: the benchmark's own peers. */
import { cpu } from '../../lab/measuring/peers/cpu.js';
import { limit } from '../../lab/measuring/peers/limit.js';
import { naive } from '../../lab/measuring/peers/naive.js';
import { ours } from '../../lab/measuring/peers/ours.js';
import type { Peer } from '../../lab/measuring/peers/peer.js';
import type { PeerName } from '../../lab/measuring/protocol.js';

/** TensorFlow.js is a megabyte that only who asks for it should load. */
const tfjs: Peer = async (context) => {
  const [peer] = await Promise.all([
    import('../../lab/measuring/peers/tfjs.js'),
    import('@tensorflow/tfjs-backend-webgpu'),
  ]);
  return peer.tfjs(context);
};

/** The peers by the benchmark's names, in the order in which they are shown. */
export const peers = { ours, limit, naive, tfjs, cpu } satisfies Partial<Record<PeerName, Peer>>;

/** One of them. */
export type DemoPeer = keyof typeof peers;

/** What visitors read. */
export const peerTitles: Record<DemoPeer, string> = {
  ours: 'webgpu-optim',
  limit: 'the limit of this GPU',
  naive: 'a naive scalar kernel',
  tfjs: 'TensorFlow.js',
  cpu: 'a loop on the CPU',
};

/** Those that a visitor may leave out. */
export const optionalPeers = ['naive', 'tfjs', 'cpu'] as const satisfies readonly DemoPeer[];
