import { integerFrom } from '../../scripts/terminal/command-line.js';
import type { Suite } from '../suite.js';

const CALLS = [
  'encode',
  'bare',
  'create',
  'rebind one',
  'rebind all',
  'state dict',
  'reference f32',
  'reference f64',
] as const;

/** What is called, over and over, of an optimizer of many small tensors in buffers of their own. */
export interface CallRequest {
  readonly call: (typeof CALLS)[number];
  readonly tensorCount: number;
  readonly elementsPerTensor: number;
}

interface Given {
  readonly tensors: number;
  readonly elements: number;
}

/** What the host does: nothing here is computed, so a call's time is the host's, and copying where state is read. */
export const calls: Suite<CallRequest, Given> = {
  description:
    'what calls cost the host: a step that is encoded, creation, buffers that change, state that is saved, the reference',
  rounds: 15,
  minMeasurementMs: 50,
  addOptions: (command) =>
    void command
      .option('--tensors <n>', 'how many', integerFrom(1), 1000)
      .option('--elements <n>', 'elements of each', integerFrom(1), 1000),
  heats: ({ tensors, elements }) => [
    {
      case: `${tensors} of ${elements}`,
      contestants: Object.fromEntries(
        CALLS.map((call) => [call, { call, tensorCount: tensors, elementsPerTensor: elements }]),
      ),
      baselines: ['encode'],
    },
  ],
};
