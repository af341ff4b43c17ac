import {
  adagrad,
  adam,
  adamw,
  lamb,
  lion,
  momentum,
  nadam,
  rmsprop,
  sgd,
  type Rule,
} from '../../src/index.js';
import type { Clips } from '../../proof/bounded-run.js';
import { type TensorLayout, checkParity } from '../../proof/parity.js';
import { Random } from '../../proof/random.js';
import type { Destroyable } from '../../proof/track.js';
import type { RuleRecord } from './record.js';

interface SmokeCase {
  readonly rule: Rule;
  readonly clip?: Clips;
  readonly skipNonFinite?: boolean;
}

/** A rule of each kind: without state, with one slot and more, whose count is on the GPU, whose products run, with norms. */
const CASES: Readonly<Record<string, SmokeCase>> = {
  sgd: { rule: sgd({ weightDecay: 0.01 }) },
  'momentum, Nesterov': { rule: momentum({ nesterov: true }) },
  adagrad: { rule: adagrad() },
  'rmsprop, centered': { rule: rmsprop({ centered: true }) },
  adam: { rule: adam() },
  'adamw, clipped, skipNonFinite': {
    rule: adamw({ weightDecay: 0.01 }),
    clip: { maxGradNormPerTensor: 0.3 },
    skipNonFinite: true,
  },
  lion: { rule: lion() },
  nadam: { rule: nadam() },
  lamb: { rule: lamb() },
};

/** What rules are run on: whole lanes in place, lanes with a rest at odd places, less than a lane. */
const LAYOUTS: readonly TensorLayout[] = [
  { length: 256, dataOffset: 0, gradOffset: 0 },
  { length: 1029, dataOffset: 1, gradOffset: 3 },
  { length: 3, dataOffset: 0, gradOffset: 0 },
];
const STEPS = 30;
const BOUNDED_ELEMENTS = 64;

/** The titles of what {@link smoke} runs, in order. */
export const SMOKE_TITLES: readonly string[] = Object.keys(CASES);

/**
 * Thirty steps of a rule against the reference in float64, and on SwiftShader bit for bit against its float32 twin.
 *
 * @param title one of {@link SMOKE_TITLES}.
 * @param seed of weights and gradients.
 * @throws Error naming the first element that is not as it should be.
 */
export async function smoke(device: GPUDevice, title: string, seed: number): Promise<RuleRecord> {
  const resources: Destroyable[] = [];
  try {
    const { ulp, ofBound, sameBits } = await checkParity({
      device,
      track(resource) {
        resources.push(resource);
        return resource;
      },
      ...CASES[title]!,
      layouts: LAYOUTS,
      oneBuffer: false,
      steps: STEPS,
      random: new Random(seed),
      boundedElements: BOUNDED_ELEMENTS,
    });
    return { title, maxUlp: ulp, maxOfBound: ofBound, sameBits };
  } finally {
    for (const resource of resources) resource.destroy();
  }
}
