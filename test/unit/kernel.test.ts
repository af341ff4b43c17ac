import { describe, expect, inject, test } from 'vitest';
import { declareBindings } from '../../src/kernel/compose-access.js';
import { composeKernel } from '../../src/kernel/compose.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { scalarsByteLength } from '../../src/kernel/scalars.js';
import { SEGMENT_BYTE_LENGTH, SEGMENT_WGSL, segmentWords } from '../../src/kernel/segment.js';
import { chooseGrid, chooseShape, isCpuAdapter } from '../../src/kernel/shape.js';
import type { AccessVariant } from '../../src/kernel/variant.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { combinedOptionCases } from '../../proof/option-cases.js';
import { Random } from '../../proof/random.js';

const BODY: AccessVariant = { laneWidth: 4, gradBinding: 'read', dataAccess: 'vector', gradAccess: 'vector' };
const ACCESSES: AccessVariant[] = [
  BODY,
  { ...BODY, gradAccess: 'gather' },
  { ...BODY, gradBinding: 'shared' },
  { ...BODY, gradBinding: 'shared', dataAccess: 'gather', gradAccess: 'gather' },
  { ...BODY, gradBinding: 'read_write' },
  { laneWidth: 1, gradBinding: 'read', dataAccess: 'gather', gradAccess: 'gather' },
  { ...BODY, together: 3 },
  { ...BODY, gradBinding: 'shared', together: 3 },
];

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);

describe.for(ruleFactories)('the declaration of %s', ([name, factory]) => {
  const { declaration } = factory;

  test('carries its registry name, and its equation in comment form', () => {
    expect(declaration.name).toBe(name);
    expect(declaration.wgsl).toMatch(/^\/\/ .*\d{4}/);
    expect(declaration.wgsl).toContain('←');
  });

  test('declares exactly the switches that the WGSL has', () => {
    const declared = Object.keys(declaration.switches(factory().options));
    expect(matches(declaration.wgsl, /override (\w+): bool/g).toSorted()).toEqual(declared.toSorted());
    expect(matches(declaration.wgsl, /override (\w+)/g)).toHaveLength(declared.length);
  });

  test('declares exactly the scalars that the WGSL reads', () => {
    const read = new Set(matches(declaration.wgsl.replaceAll(/\/\/.*/g, ''), /\bh\.(\w+)/g));
    for (const standard of ['t', 'decay']) read.delete(standard);
    expect([...read].toSorted()).toEqual(layoutOf(factory()).scalars.slice(4).toSorted());
  });

  test('keeps pow and the mix builtin out of the kernel', () => {
    expect(declaration.wgsl.replaceAll(/\/\/.*/g, '')).not.toMatch(/\b(pow|exp|exp2|mix|fma)\(/);
  });

  test('gives the same scalars in the same order for all options and steps', () => {
    for (const { rule } of combinedOptionCases(new Random(inject('seed'))).filter(
      (c) => c.rule.name === name,
    )) {
      for (const t of [1, 2, 1000]) {
        expect(Object.keys(layoutOf(rule).values(0.1, t))).toEqual(layoutOf(factory()).scalars);
      }
    }
  });
});

describe('a composed kernel', () => {
  test('binds the state that its options use, and no other', () => {
    for (const { rule, title } of combinedOptionCases(new Random(inject('seed')))) {
      for (const access of ACCESSES) {
        const code = composeKernel(rule, access);
        const bound = matches(code, /var<storage, \w+> (\w+)_array/g);
        expect(bound, title).toEqual(layoutOf(rule).elementSlots);
        const bindings = matches(code, /@group\(0\) @binding\((\d+)\)/g).map(Number);
        expect(bindings).toEqual(declareBindings(rule, access).map((_, k) => k));
      }
    }
  });

  test('takes nothing from options but its bindings: scalars and switches are not baked in', () => {
    for (const [, factory] of ruleFactories) {
      expect(composeKernel(factory({ lr: 0.125 }), BODY)).toBe(composeKernel(factory({ lr: 0.25 }), BODY));
      expect(composeKernel(factory({ maximize: true }), BODY)).toBe(composeKernel(factory(), BODY));
    }
  });

  test('has the equation once', () => {
    for (const [, factory] of ruleFactories) {
      for (const access of ACCESSES) {
        const code = composeKernel(factory(), access);
        expect(code.split('fn update(')).toHaveLength(2);
        expect(code.split('@compute')).toHaveLength(2);
      }
    }
  });

  test('has a loop for each tensor that it steps', () => {
    const code = composeKernel(ruleFactories[0]![1](), { ...BODY, together: 3 });
    expect(matches(code, /segment = segments\.(\w+);/g)).toEqual(['tensor_0', 'tensor_1', 'tensor_2']);
    expect(matches(code, /var<storage, \w+> ((?:data|grad)_\d)/g)).toEqual(
      [0, 1, 2].flatMap((k) => [`data_${k}`, `grad_${k}`]),
    );
  });

  test('reads the gradient through the data binding where they share one', () => {
    const rule = ruleFactories[0]![1]();
    const code = composeKernel(rule, { ...BODY, gradBinding: 'shared' });
    expect(code).toContain('return data_0[segment.grad_base + position]');
    expect(code).not.toMatch(/var<storage, \w+> grad_/);
  });
});

describe('uniforms', () => {
  test('the segment struct and its words have the same order', () => {
    const segment = { laneCount: 1, dataBase: 2, gradBase: 3, stateBase: 4, split: 5, skip: 6 };
    expect(segmentWords(segment)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(matches(SEGMENT_WGSL, /(\w+): u32/g)).toEqual([
      'lane_count',
      'data_base',
      'grad_base',
      'state_base',
      'split',
      'skip',
    ]);
    expect(SEGMENT_BYTE_LENGTH).toBe(32);
  });

  test('scalars fill whole 16-byte rows', () => {
    for (const [, factory] of ruleFactories) expect(scalarsByteLength(factory()) % 16).toBe(0);
  });

  test('decoupled decay is scaled by lr, the other two are not', () => {
    const decay = (weightDecayMode: string) => {
      const rule = ruleFactories[0]![1]({ weightDecay: 0.5, weightDecayMode });
      return [layoutOf(rule).values(0.25, 1)['decay'], layoutOf(rule).switches];
    };
    expect(decay('l2')).toEqual([0.5, { MAXIMIZE: false, DECAY_GRADIENT: true, DECAY_WEIGHT: false }]);
    expect(decay('decoupled')).toEqual([
      0.125,
      { MAXIMIZE: false, DECAY_GRADIENT: false, DECAY_WEIGHT: true },
    ]);
    expect(decay('raw')).toEqual([0.5, { MAXIMIZE: false, DECAY_GRADIENT: false, DECAY_WEIGHT: true }]);
  });
});

describe('the grid', () => {
  const shape = { workgroupSize: 64, lanesPerInvocation: 2, consecutive: true };
  test.for([1, 127, 128, 129, 65_535 * 128, 65_535 * 128 + 1, 2 ** 30])('covers %i lanes', (laneCount) => {
    const [x, y] = chooseGrid(laneCount, shape, 65_535);
    expect(x).toBeLessThanOrEqual(65_535);
    expect(y).toBeLessThanOrEqual(65_535);
    expect(x * y * 128).toBeGreaterThanOrEqual(laneCount);
    // No more workgroups than one row short of filling.
    expect((x * y - y) * 128).toBeLessThan(laneCount);
  });

  test('knows CPU adapters by name', () => {
    expect(isCpuAdapter({ vendor: 'google', architecture: 'swiftshader' })).toBe(true);
    expect(isCpuAdapter({ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' })).toBe(true);
    expect(isCpuAdapter({ vendor: 'nvidia', architecture: 'hopper', isFallbackAdapter: false })).toBe(false);
    expect(isCpuAdapter(undefined)).toBe(false);
    expect(chooseShape({ architecture: 'swiftshader' }, 4).consecutive).toBe(true);
    expect(chooseShape({ vendor: 'nvidia' }, 4).consecutive).toBe(false);
  });
});
