import '@tensorflow/tfjs-backend-webgpu';
import type { PeerName } from '../../../lab/measuring/protocol.js';
import { createBenchPage } from '../../../lab/measuring/page/bench-page.js';
import { describeBrowser } from '../../../lab/measuring/page/device.js';
import type { Peer } from '../../../lab/measuring/peers/peer.js';
import { jaxJs } from '../peers/jax-js.js';
import { tfjs } from '../../../lab/measuring/peers/tfjs.js';
import { portablePeers } from '../portable-peers.js';

const peers: Record<PeerName, Peer> = { ...portablePeers, tfjs, 'jax-js': jaxJs };

export const bench = createBenchPage({ gpu: navigator.gpu, browser: describeBrowser(), peers });
