import '@tensorflow/tfjs-backend-webgpu';
import { chooseShape } from '../../src/kernel/shape.js';
import { elementSlots } from '../../src/kernel/variant.js';
import { rules } from '../../src/index.js';
import type { BenchPage, PeerName } from '../protocol.js';
import { totalElements } from '../cases.js';
import { countCalls } from './count-calls.js';
import { describeSurroundings, requestBenchDevice } from './device.js';
import { copy } from './peers/copy.js';
import { cpu } from './peers/cpu.js';
import { type LimitContestant, limit } from './peers/limit.js';
import { naive } from './peers/naive.js';
import { ours, oursArena, oursClipSkip } from './peers/ours.js';
import type { Contestant, Peer } from './peers/peer.js';
import { tfjs } from './peers/tfjs.js';
import { verifyFirstStep } from './verify.js';
import { type Workload, createWorkload } from './workload.js';

const PEERS: Record<PeerName, Peer> = {
  ours,
  'ours-arena': oursArena,
  'ours-clip-skip': oursClipSkip,
  tfjs,
  naive,
  limit,
  copy,
  cpu,
};

let device: GPUDevice;
let workload: Workload | undefined;
const contestants = new Map<PeerName, Contestant>();

function find(peer: PeerName): Contestant {
  const contestant = contestants.get(peer);
  if (contestant) return contestant;
  throw new Error(`The peer ${peer} is not prepared.`);
}

const bench: BenchPage = {
  open: async () => {
    device = await requestBenchDevice();
    return describeSurroundings(device);
  },
  prepare: async ({ benchCase, rule: ruleName, peers, seed }) => {
    const rule = rules[ruleName as keyof typeof rules]();
    workload = createWorkload(device, benchCase, seed);
    for (const peer of peers) {
      const contestant = await PEERS[peer]({ device, benchCase, rule, workload });
      if (!contestant) continue;
      contestants.set(peer, contestant);
      const gradient = workload.randomArray(
        peer === 'limit' ? totalElements(benchCase) : benchCase.elementsPerTensor,
      );
      await verifyFirstStep(peer, ruleName, contestant, gradient);
    }
    const limitContestant = contestants.get('limit') as LimitContestant | undefined;
    const slotCount = elementSlots(rule).length;
    return {
      peers: [...contestants.keys()],
      arraysRead: 2 + slotCount,
      arraysWritten: 1 + slotCount,
      shape: chooseShape(device.adapterInfo, 4, Math.floor(benchCase.elementsPerTensor / 4)),
      ...(limitContestant && { limitShape: limitContestant.shape }),
    };
  },
  measure: async (peer, steps) => {
    const contestant = find(peer);
    await contestant.finish();
    const start = performance.now();
    for (let k = 0; k < steps; k += 1) contestant.step();
    await contestant.finish();
    return performance.now() - start;
  },
  count: async (peer) => {
    const contestant = find(peer);
    await contestant.finish();
    return countCalls(async () => {
      contestant.step();
      await contestant.finish();
    });
  },
  release: async () => {
    for (const contestant of contestants.values()) {
      await contestant.finish();
      contestant.destroy();
    }
    contestants.clear();
    workload?.destroy();
    workload = undefined;
  },
};

Object.assign(globalThis, { bench });
