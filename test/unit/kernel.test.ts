import { describe, expect, inject, test } from 'vitest';
import { makeAverage } from '../../src/averages/average.js';
import { ema } from '../../src/averages/ema.js';
import { pageLayout, recordStruct } from '../../src/kernel/compose-rule.js';
import { rowLayout } from '../../src/kernel/row.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { chooseGrid, chooseShape, isCpuAdapter } from '../../src/kernel/shape.js';
import { segmentStruct } from '../../src/kernel/segment.js';
import { composeStep, stepBindings, stepPipeline } from '../../src/kernel/step-kernel.js';
import type { StretchAccess } from '../../src/plan/stretch.js';
import { type Rule, structureOf, withSettings } from '../../src/rules/rule.js';
import { combinedOptionCases } from '../../proof/option-cases.js';
import { Random } from '../../proof/random.js';
import { allRuleFactories } from '../support/all-rules.js';

const BODY: StretchAccess = { data: 'vector', grad: 'vector', state: 'vector', gradBinding: 'read' };
const GATHER: StretchAccess = { data: 'gather', grad: 'gather', state: 'gather', gradBinding: 'read' };
const VARIANTS: { access: StretchAccess; together: number }[] = [
  { access: BODY, together: 1 },
  { access: { ...BODY, grad: 'gather' }, together: 1 },
  { access: { ...BODY, state: 'gather' }, together: 1 },
  { access: { ...BODY, gradBinding: 'none' }, together: 1 },
  { access: { ...BODY, gradBinding: 'shared' }, together: 1 },
  { access: { ...GATHER, gradBinding: 'shared' }, together: 1 },
  { access: { ...BODY, gradBinding: 'read_write' }, together: 1 },
  { access: GATHER, together: 1 },
  { access: { ...BODY, rowLength: 8, isListed: true }, together: 1 },
  { access: { ...GATHER, data: 'strided', rowLength: 3, dataStride: 8 }, together: 1 },
  { access: { ...BODY, rowLength: 6, isMasked: true, isScaled: true, isLimited: true }, together: 1 },
  { access: { ...GATHER, rowLength: 6, isUnit: true, isMasked: true }, together: 1 },
  { access: BODY, together: 3 },
  { access: { ...BODY, gradBinding: 'shared' }, together: 3 },
  { access: { ...BODY, gradBinding: 'gathered' }, together: 3 },
];

/** All that tells the kernel of a rule from others. */
function variantOf(rule: Rule, { access, together } = VARIANTS[0]!) {
  const layout = layoutOf(rule);
  return { layout, row: rowLayout(layout), access, together };
}

const compose = (rule: Rule, variant = VARIANTS[0]!): string => composeStep(variantOf(rule, variant));

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);

describe.for(allRuleFactories)('the declaration of %s', ([name, factory]) => {
  const { declaration } = factory;

  test('carries its registry name, and its equation in comment form', () => {
    expect(declaration.name).toBe(name);
    expect(declaration.wgsl).toMatch(/^\/\/ .*\d{4}/);
    expect(declaration.wgsl).toContain('←');
  });

  test('declares exactly the switches that the WGSL has', () => {
    const declared = Object.keys(declaration.switches(structureOf(factory())));
    expect(matches(declaration.wgsl, /override (\w+): bool/g).toSorted()).toEqual(declared.toSorted());
    expect(matches(declaration.wgsl, /override (\w+)/g)).toHaveLength(declared.length);
  });

  test('declares exactly the scalars that the WGSL reads', () => {
    const read = new Set(matches(declaration.wgsl.replaceAll(/\/\/.*/g, ''), /\bh\.(\w+)/g));
    for (const standard of ['t', 'decay', 'grad_multiplier']) read.delete(standard);
    expect([...read].toSorted()).toEqual(layoutOf(factory()).scalars.slice(5).toSorted());
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
      for (const variant of VARIANTS) {
        const code = compose(rule, variant);
        const bound = matches(code, /var<storage, \w+> (\w+)_array/g);
        expect(bound, title).toEqual(layoutOf(rule).elementSlots);
        const bindings = stepBindings(variantOf(rule, variant));
        expect(matches(code, /@group\(0\) @binding\((\d+)\)/g).map(Number)).toEqual(
          bindings.map((_, k) => k),
        );
        expect(matches(code, /@group\(0\) @binding\(\d+\) var<\w+(?:, \w+)?> \w+: ([^;]+);/g)).toEqual(
          bindings.map(({ wgslType }) => wgslType),
        );
      }
    }
  });

  test('takes nothing from options but its bindings: scalars and switches are not baked in', () => {
    for (const [, factory] of allRuleFactories) {
      expect(compose(factory({ lr: 0.125 }))).toBe(compose(factory({ lr: 0.25 })));
      expect(compose(factory({ maximize: true }))).toBe(compose(factory()));
    }
  });

  test('has the equation once', () => {
    for (const [, factory] of allRuleFactories) {
      for (const variant of VARIANTS) {
        const code = compose(factory(), variant);
        expect(code.split('fn update(')).toHaveLength(2);
        expect(code.split('@compute')).toHaveLength(2);
      }
    }
  });

  test('has a loop for each tensor that it steps', () => {
    const code = compose(allRuleFactories[0]![1](), { access: BODY, together: 3 });
    expect(matches(code, /segment = segments\.(\w+);/g)).toEqual(['tensor_0', 'tensor_1', 'tensor_2']);
    expect(matches(code, /^ {2}(step_tensor_\d)\(workgroup, local_index\);/gm)).toEqual(
      [0, 1, 2].map((k) => `step_tensor_${k}`),
    );
    expect(matches(code, /var<storage, \w+> ((?:data|grad)_\d)/g)).toEqual(
      [0, 1, 2].flatMap((k) => [`data_${k}`, `grad_${k}`]),
    );
  });

  test('reads the gradient through the data binding where they share one', () => {
    const code = compose(allRuleFactories[0]![1](), {
      access: { ...BODY, gradBinding: 'shared' },
      together: 2,
    });
    expect(code).toContain('return data_0[segment.grad_base + at.lane]');
    expect(code).toContain('return data_1[segment.grad_base + at.lane]');
    expect(code).not.toMatch(/var<storage, \w+> grad_/);
  });

  test('reads gathered gradients of all through one binding', () => {
    const code = compose(allRuleFactories[0]![1](), {
      access: { ...BODY, gradBinding: 'gathered' },
      together: 3,
    });
    expect(matches(code, /var<storage, (\w+> grad_\d)/g)).toEqual(['read> grad_0']);
    expect(code.split('return grad_0[segment.grad_base + at.lane]')).toHaveLength(4);
  });

  test('without gradients has none, and reads zeros', () => {
    const code = compose(allRuleFactories[0]![1](), {
      access: { ...BODY, gradBinding: 'none' },
      together: 1,
    });
    expect(code).not.toMatch(/var<storage, \w+> grad_/);
    expect(code).toMatch(/fn load_grad_0\(at: Place\) -> lane \{\s+return lane\(0\.0\);/);
  });

  test('knows rows only where a list names them', () => {
    const rule = allRuleFactories[0]![1]();
    expect(compose(rule)).not.toMatch(/NO_ROW|var<storage, read> rows/);
    const code = compose(rule, { access: { ...GATHER, rowLength: 6, isListed: true }, together: 1 });
    expect(code).toMatch(/var<storage, read> rows: array<u32>/);
    expect(code).toContain('rows[entry] != NO_ROW');
  });

  test('masks the last lane wherever it does not reach whole vec4s', () => {
    const code = compose(allRuleFactories[0]![1](), { access: { ...BODY, grad: 'gather' }, together: 1 });
    expect(code).toContain('grad_0[min(first + 3u, last)]');
    expect(code).not.toContain('data_0[min(');
    expect(compose(allRuleFactories[0]![1](), { access: GATHER, together: 1 })).toMatch(
      /if \(at\.valid > 3u\) \{\s+data_0\[first \+ 3u\] = value\.w;/,
    );
  });
});

describe('the bindings of a kernel', () => {
  const rule = allRuleFactories[0]![1]();

  test('say how the device is to bind them', () => {
    const types = (access: StretchAccess) =>
      stepBindings(variantOf(rule, { access, together: 1 })).map(({ name, type, minBindingSize }) => [
        name,
        type,
        minBindingSize,
      ]);
    expect(types({ ...BODY, data: 'gather' }).slice(0, 3)).toEqual([
      ['segments', 'uniform', segmentStruct(BODY).byteLength],
      ['data_0', 'storage', 4],
      ['grad_0', 'read-only-storage', 16],
    ]);
    expect(types({ ...BODY, gradBinding: 'read_write' })[2]).toEqual(['grad_0', 'storage', 16]);
    expect(types({ ...GATHER, rowLength: 3, isListed: true }).at(-1)).toEqual([
      'rows',
      'read-only-storage',
      4,
    ]);
    expect(stepBindings(variantOf(rule, { access: BODY, together: 3 }))[0]!.minBindingSize).toBe(
      3 * segmentStruct(BODY).byteLength,
    );
  });

  test('of rules that measure tensors hold the record', () => {
    for (const [, factory] of allRuleFactories) {
      const variant = variantOf(factory());
      const record = stepBindings(variant).filter(({ role }) => role === 'record');
      expect(record.map(({ minBindingSize }) => minBindingSize)).toEqual(
        variant.layout.tensor ? [recordStruct(variant.layout).byteLength] : [],
      );
      expect(composeStep(variant).includes('tensor = uniform_tensor;')).toBe(record.length > 0);
    }
  });

  test('are those of the pipeline, whose group 1 is a page of rows at a dynamic offset', () => {
    const shape = { workgroupSize: 64, lanesPerInvocation: 2, consecutive: true };
    const variant = {
      ...variantOf(rule, { access: { ...GATHER, rowLength: 6, isListed: true }, together: 1 }),
      shape,
      isClamped: true,
    };
    const { constants, bindGroups, code, entryPoint } = stepPipeline(variant);
    expect(bindGroups).toEqual([
      stepBindings(variant).map(({ type, minBindingSize }) => ({ type, minBindingSize })),
      pageLayout(variant.row),
    ]);
    expect(pageLayout(variant.row)).toEqual([
      {
        type: 'uniform',
        hasDynamicOffset: true,
        minBindingSize: variant.row.struct.byteLength * variant.row.rowsPerPage,
      },
    ]);
    expect(constants).toEqual({
      ...Object.fromEntries(Object.entries(variant.layout.switches).map(([name, on]) => [name, on ? 1 : 0])),
      WORKGROUP_SIZE: 64,
      LANES_PER_INVOCATION: 2,
      CONSECUTIVE: 1,
      ROW_LENGTH: 6,
      CLAMP_GRADIENT: 1,
    });
    // Every constant that is set is one of the code's; the device refuses others.
    for (const name of Object.keys(constants)) expect(code).toMatch(new RegExp(`override ${name}\\b`));
    expect(code).toContain(`fn ${entryPoint}(`);
    const plain = stepPipeline({ ...variant, access: BODY, isClamped: false });
    expect(plain.constants).toMatchObject({ CLAMP_GRADIENT: 0 });
    expect(plain.constants).not.toHaveProperty('ROW_LENGTH');
  });

  test('averages bring their slot, their scalars and their call', () => {
    const averaged = withSettings(rule, { averages: [makeAverage(ema, { decay: 0.5 })] });
    const code = compose(averaged);
    expect(code).toContain('w = average_ema(before, w);');
    expect(matches(code, /var<storage, \w+> (\w+)_array/g)).toContain('ema');
    expect(compose(rule)).not.toContain('average_ema');
  });
});

describe('what a step’s numbers mean', () => {
  test('decoupled decay is scaled by lr, the other two are not', () => {
    const decay = (weightDecayMode: string) => {
      const rule = allRuleFactories[0]![1]({ weightDecay: 0.5, weightDecayMode });
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
    expect(isCpuAdapter({ vendor: 'unknown', isFallbackAdapter: true })).toBe(true);
    expect(chooseShape({ architecture: 'swiftshader' }, 4).consecutive).toBe(true);
    expect(chooseShape({ vendor: 'nvidia' }, 4).consecutive).toBe(false);
  });

  test('on the CPU a tensor that one workgroup would hold is cut into more', () => {
    const lanesOf = (laneCount: number) => {
      const { workgroupSize, lanesPerInvocation } = chooseShape({ architecture: 'swiftshader' }, laneCount);
      return workgroupSize * lanesPerInvocation;
    };
    expect(lanesOf(250)).toBe(128);
    expect(lanesOf(512)).toBe(128);
    expect(lanesOf(513)).toBe(512);
    // 16 workgroups and more.
    expect(lanesOf(16 * 2048)).toBe(2048);
    expect(lanesOf(Infinity)).toBe(16384);
  });
});
