import { rules } from '../../../src/index.js';
import { chooseShape } from '../../../src/kernel/shape.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { totalElements } from '../cases.js';
import type { BenchPage, Heat, HeatRequest, PeerName } from '../protocol.js';
import { countCalls } from './count-calls.js';
import { type BenchDevice, describeAdapter, requestBenchDevice } from './device.js';
import { measureOnGpu } from './gpu-clock.js';
import { unlessOutOfMemory } from './out-of-memory.js';
import type { Contestant, Peer, PeerContext } from '../peers/peer.js';
import { verifyFirstStep } from './verify.js';
import { type Workload, createWorkload } from './workload.js';

/** Those that take several buffers per tensor, or none. The others are not even tried with what needs several. */
const HOLD_SEVERAL_BUFFERS: ReadonlySet<PeerName> = new Set([
  'ours',
  'ours-clip-skip',
  'ours-bf16-state',
  'ours-int8-state',
  'ours-int4-state',
  'limit',
  'cpu',
]);

/** Where the page's code runs. */
export interface Runtime {
  /** As `navigator.gpu`. */
  readonly gpu: GPU | undefined;
  /** Name and version for results. */
  readonly browser: string;
  /** The peers that can run here. */
  readonly peers: Readonly<Partial<Record<PeerName, Peer>>>;
}

/** What is driven by `npm run bench`: the same in a browser and in Node. */
export function createBenchPage({ gpu, browser, peers: available }: Runtime): BenchPage {
  /** By binding limit. Kept until lost, because destroying one would look like losing it. */
  const devices = new Map<number | undefined, BenchDevice>();
  let device: GPUDevice;
  let workload: Workload | undefined;
  const contestants = new Map<PeerName, Contestant>();

  const deviceFor = async (maxBinding: number | undefined): Promise<BenchDevice> => {
    const found = devices.get(maxBinding);
    if (found) return found;
    const opened = await requestBenchDevice(gpu, maxBinding);
    devices.set(maxBinding, opened);
    void opened.device.lost.then(() => devices.delete(maxBinding));
    return opened;
  };
  const find = (peer: PeerName): Contestant => {
    const contestant = contestants.get(peer);
    if (contestant) return contestant;
    throw new Error(`The peer ${peer} is not prepared.`);
  };
  const release = async (): Promise<void> => {
    for (const contestant of contestants.values()) {
      // A lost device has nothing to finish; whoever measures hears of it all the same.
      await contestant.finish().catch(() => undefined);
      contestant.destroy();
    }
    contestants.clear();
    workload?.destroy();
    workload = undefined;
  };
  const prepare = async (request: HeatRequest): Promise<Heat> => {
    const { benchCase, rule: ruleName, peers, seed } = request;
    const { maxBinding } = benchCase;
    ({ device } = await deviceFor(maxBinding));
    const rule = rules[ruleName as keyof typeof rules]();
    const cannotHold: PeerName[] = [];
    workload = await unlessOutOfMemory(device, async () => createWorkload(device, benchCase, seed));
    if (workload) {
      const context: PeerContext = { device, benchCase, rule, workload };
      const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
      const isPlain = 4 * totalElements(benchCase) <= Math.min(maxBufferSize, maxStorageBufferBindingSize);
      // The limit shares a lone tensor's arrays with the others and moves their values about, which must not come
      // between another peer's first step and its check.
      for (const peer of peers.toSorted((a, b) => Number(a === 'limit') - Number(b === 'limit'))) {
        if (!isPlain && !HOLD_SEVERAL_BUFFERS.has(peer)) cannotHold.push(peer);
        else if ((await prepareContestant(peer, context)) === 'out of memory') cannotHold.push(peer);
      }
    } else cannotHold.push(...peers);
    const [handShape, limitShape] = (['hand', 'limit'] as const).map((peer) => contestants.get(peer)?.shape);
    const slotCount = layoutOf(rule).elementSlots.length;
    return {
      peers: peers.filter((peer) => contestants.has(peer)),
      cannotHold,
      arraysRead: 2 + slotCount,
      arraysWritten: 1 + slotCount,
      shape: chooseShape(device.adapterInfo, Math.floor(benchCase.elementsPerTensor / 4)),
      ...(handShape && { handShape }),
      ...(limitShape && { limitShape }),
    };
  };
  const prepareContestant = async (
    peer: PeerName,
    context: PeerContext,
  ): Promise<'ready' | 'lacks the rule' | 'out of memory'> => {
    const create = available[peer];
    if (!create) throw new Error(`The peer ${peer} does not run here.`);
    // A peer that has not got its memory is left to the collector: it knows best what it has allocated.
    const made = await unlessOutOfMemory(device, async () => ({ contestant: await create(context) }));
    if (!made) return 'out of memory';
    const { contestant } = made;
    if (!contestant) return 'lacks the rule';
    contestants.set(peer, contestant);
    const { benchCase, rule } = context;
    const elementCount = peer === 'limit' ? totalElements(benchCase) : benchCase.elementsPerTensor;
    await verifyFirstStep(peer, rule.name, contestant, elementCount, context.workload.randomAt);
    return 'ready';
  };

  return {
    open: async () => {
      const opened = await deviceFor(undefined);
      return {
        adapter: describeAdapter(opened.device),
        browser,
        adapterLimit: opened.adapterLimit,
        peers: Object.keys(available) as PeerName[],
      };
    },
    prepare,
    measure: async (peer, steps) => {
      const contestant = find(peer);
      await contestant.finish();
      const start = performance.now();
      for (let k = 0; k < steps; k += 1) contestant.step();
      await contestant.finish();
      return performance.now() - start;
    },
    measureOnGpu: async (peer, steps) => {
      const contestant = find(peer);
      await contestant.finish();
      const ms = await measureOnGpu(device, () => contestant.step(), steps);
      await contestant.finish();
      return ms ?? null;
    },
    count: async (peer) => {
      const contestant = find(peer);
      await contestant.finish();
      const hostMs = await measureHost(contestant);
      const counts = await countCalls(async () => {
        contestant.step();
        await contestant.finish();
      });
      // The weights of a lazy peer look right all the same: to read them is to compute them.
      if (counts.submits === 0 && peer !== 'cpu')
        throw new Error(`${peer}: a step submits nothing to the GPU.`);
      return { ...counts, hostMs };
    },
    release,
  };
}

const HOST_STEPS = 8;
/** No further step begins after this: the GPU works on each, and 1e8 elements take a CPU adapter seconds. */
const MOST_HOST_MS = 1000;

/** Least milliseconds until the call of a step returns, the GPU idle at the start of each: other load only adds. */
async function measureHost(contestant: Contestant): Promise<number> {
  let leastMs = Infinity;
  const begin = performance.now();
  for (let k = 0; k < HOST_STEPS && performance.now() - begin < MOST_HOST_MS; k += 1) {
    await contestant.finish();
    const start = performance.now();
    contestant.step();
    leastMs = Math.min(leastMs, performance.now() - start);
  }
  await contestant.finish();
  return leastMs;
}
