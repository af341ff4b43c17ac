import type { PeerName } from '../protocol.js';
import { copy } from './peers/copy.js';
import { cpu } from './peers/cpu.js';
import { hand } from './peers/hand.js';
import { limit } from './peers/limit.js';
import { naive } from './peers/naive.js';
import { ours, oursArena, oursClipSkip } from './peers/ours.js';
import type { Peer } from './peers/peer.js';

/** The peers that need WebGPU and nothing else of a browser. */
export const portablePeers = {
  ours,
  'ours-arena': oursArena,
  'ours-clip-skip': oursClipSkip,
  hand,
  naive,
  limit,
  copy,
  cpu,
} satisfies Partial<Record<PeerName, Peer>>;
