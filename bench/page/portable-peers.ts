import type { PeerName } from '../../lab/measuring/protocol.js';
import { copy } from '../../lab/measuring/peers/copy.js';
import { cpu } from '../../lab/measuring/peers/cpu.js';
import { hand } from './peers/hand.js';
import { limit } from '../../lab/measuring/peers/limit.js';
import { naive } from '../../lab/measuring/peers/naive.js';
import {
  ours,
  oursArena,
  oursBf16,
  oursBf16State,
  oursClipSkip,
  oursInt4State,
  oursInt8State,
} from '../../lab/measuring/peers/ours.js';
import type { Peer } from '../../lab/measuring/peers/peer.js';

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
  'ours-bf16': oursBf16,
  'ours-bf16-state': oursBf16State,
  'ours-int8-state': oursInt8State,
  'ours-int4-state': oursInt4State,
} satisfies Partial<Record<PeerName, Peer>>;
