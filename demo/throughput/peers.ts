/** Who is measured on the Throughput page: the benchmark's own peers. */
import { copy } from '../../lab/measuring/peers/copy.js';
import { cpu } from '../../lab/measuring/peers/cpu.js';
import { limit } from '../../lab/measuring/peers/limit.js';
import { naive } from '../../lab/measuring/peers/naive.js';
import {
  ours,
  oursBf16,
  oursBf16State,
  oursInt4State,
  oursInt8State,
} from '../../lab/measuring/peers/ours.js';
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
export const peers = {
  ours,
  'ours-bf16': oursBf16,
  'ours-bf16-state': oursBf16State,
  'ours-int8-state': oursInt8State,
  'ours-int4-state': oursInt4State,
  limit,
  copy,
  naive,
  tfjs,
  cpu,
} satisfies Partial<Record<PeerName, Peer>>;

/** One of them. */
export type DemoPeer = keyof typeof peers;

/** What visitors read. */
export const peerTitles: Record<DemoPeer, string> = {
  ours: 'webgpu-optim',
  'ours-bf16': 'webgpu-optim, bf16 weights',
  'ours-bf16-state': 'webgpu-optim, bf16 state',
  'ours-int8-state': 'webgpu-optim, int8 state',
  'ours-int4-state': 'webgpu-optim, int4 state',
  limit: 'the limit of this GPU',
  copy: 'its own copy of as many bytes',
  naive: 'a naive scalar kernel',
  tfjs: 'TensorFlow.js',
  cpu: 'a loop on the CPU',
};

/** Weights, gradients and state of fewer bits, which visitors choose. */
export const dtypePeers = [
  'ours-bf16',
  'ours-bf16-state',
  'ours-int8-state',
  'ours-int4-state',
] as const satisfies readonly DemoPeer[];

/** Those that take part unless a visitor leaves them out. */
export const rivals = ['copy', 'naive', 'tfjs', 'cpu'] as const satisfies readonly DemoPeer[];
