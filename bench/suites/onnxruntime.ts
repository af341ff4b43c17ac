import { integerFrom } from '../../scripts/terminal/command-line.js';
import { integersFrom } from '../arguments.js';
import type { Suite } from '../suite.js';

/** A part of a training step through the adapter, or all of it. */
export interface OnnxRequest {
  readonly part: 'step' | 'session.run' | 'optimizer.step';
  /** Widths of the perceptron's layers. */
  readonly widths: readonly number[];
  readonly batch: number;
}

interface Given {
  readonly mlp: readonly number[];
  readonly batch: number;
}

export const onnxruntime: Suite<OnnxRequest, Given> = {
  description: 'a training step in ONNX Runtime, and its parts, Adam',
  rounds: 15,
  minMeasurementMs: 200,
  addOptions: (command) =>
    void command
      .option('--mlp <widths>', 'widths of the layers', integersFrom(1), [784, 128, 10])
      .option('--batch <rows>', 'rows of a batch', integerFrom(1), 64),
  heats: ({ mlp: widths, batch }) => {
    const parts = ['step', 'session.run', 'optimizer.step'] as const;
    return [
      {
        case: `${widths.join('-')}, batch ${batch}`,
        contestants: Object.fromEntries(parts.map((part) => [part, { part, widths, batch }])),
        baselines: ['step'],
      },
    ];
  },
};
