import '@tensorflow/tfjs-backend-webgpu';
import type { PeerName } from '../protocol.js';
import { createBenchPage } from './bench-page.js';
import { describeBrowser } from './device.js';
import type { Peer } from './peers/peer.js';
import { jaxJs } from './peers/jax-js.js';
import { tfjs } from './peers/tfjs.js';
import { portablePeers } from './portable-peers.js';

const peers: Record<PeerName, Peer> = { ...portablePeers, tfjs, 'jax-js': jaxJs };

Object.assign(globalThis, {
  bench: createBenchPage({ gpu: navigator.gpu, browser: describeBrowser(), peers }),
});
