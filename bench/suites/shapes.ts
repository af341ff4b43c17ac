import { createOption } from 'commander';
import { parseElements } from '../../lab/measuring/cases.js';
import { describeShape } from '../../lab/measuring/rows.js';
import type { KernelShape } from '../../src/kernel/shape.js';
import { integersFrom, ruleNames } from '../arguments.js';
import type { Suite } from '../suite.js';

/** The library's step over one tensor in a shape, or the limit kernel over as many arrays. */
export interface ShapeRequest {
  readonly source: 'ours' | 'limit';
  readonly rule: string;
  readonly elementCount: number;
  readonly shape: KernelShape;
}

interface Given {
  readonly sizes: readonly string[];
  readonly rule: string;
  readonly workgroups: readonly number[];
  readonly lanes: readonly number[];
}

const SOURCES = ['ours', 'limit'] as const;

/** src/kernel/shape.ts has its numbers from it. */
export const shapes: Suite<ShapeRequest, Given> = {
  description: 'the kernel in every shape (workgroup×lanes, c for consecutive), over the best limit',
  rounds: 15,
  minMeasurementMs: 20,
  addOptions: (command) =>
    void command
      .option('--sizes <list>', 'numbers of elements', (text) => text.split(','), ['1e6', '1e7'])
      .addOption(createOption('--rule <name>', 'whose kernel').choices(ruleNames).default('adam'))
      .option('--workgroups <list>', 'workgroup sizes', integersFrom(1), [8, 64, 256])
      .option('--lanes <list>', 'lanes per invocation', integersFrom(1), [1, 4, 16, 64, 256, 2048]),
  heats: ({ sizes, rule, workgroups, lanes }) =>
    sizes.map((size) => {
      const elementCount = parseElements(size);
      const all = SOURCES.flatMap((source) =>
        allShapes(workgroups, lanes).map(
          (shape) => [`${source} ${describeShape(shape)}`, { source, rule, elementCount, shape }] as const,
        ),
      );
      const baselines = all.filter(([, { source }]) => source === 'limit').map(([name]) => name);
      return { case: size, contestants: Object.fromEntries(all), baselines };
    }),
};

/** With one lane per invocation there is nothing to be consecutive. */
function allShapes(workgroupSizes: readonly number[], laneCounts: readonly number[]): KernelShape[] {
  return [true, false].flatMap((consecutive) =>
    workgroupSizes.flatMap((workgroupSize) =>
      laneCounts
        .filter((lanesPerInvocation) => lanesPerInvocation > 1 || !consecutive)
        .map((lanesPerInvocation) => ({ workgroupSize, lanesPerInvocation, consecutive })),
    ),
  );
}
