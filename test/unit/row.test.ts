import { describe, expect, test } from 'vitest';
import { composePage, composeVariables } from '../../src/kernel/compose-rule.js';
import { SETTINGS_BYTE_LENGTH, rowLayout, rowOffset, slotLayout } from '../../src/kernel/row.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { segmentStruct } from '../../src/kernel/segment.js';
import { wordStruct, wordView } from '../../src/kernel/structs.js';
import { adam } from '../../src/rules/adam.js';
import { allRuleFactories } from '../support/all-rules.js';

const PLAIN = { data: 'vector', grad: 'vector', state: 'vector', gradBinding: 'read' } as const;

const fieldsIn = (wgsl: string): string[] =>
  [...wgsl.matchAll(/^ {2}(\w+): [uf]32,$/gm)].map((match) => match[1]!);

describe('a struct of words', () => {
  const pair = wordStruct('Pair', { first: 'u32', second: 'f32', third: 'u32', fourth: 'f32', fifth: 'u32' });

  test('is padded to whole 16 bytes, in WGSL as on the host', () => {
    expect(pair.byteLength).toBe(32);
    expect(pair.wgsl).toBe(
      'struct Pair {\n  first: u32,\n  second: f32,\n  third: u32,\n  fourth: f32,\n  fifth: u32,\n' +
        '  padding_0: u32,\n  padding_1: u32,\n  padding_2: u32,\n}\n',
    );
    expect(wordStruct('Wide', { only: 'u32' }, 256).wgsl.split('u32,')).toHaveLength(65);
  });

  test('writes what is given, each as its type, and nothing else', () => {
    const view = wordView(new ArrayBuffer(64));
    view.u32.fill(7);
    pair.write(view, 8, { second: 0.5, fifth: 2 ** 32 - 1 });
    expect(view.u32[pair.wordOf('fifth') + 8]).toBe(2 ** 32 - 1);
    expect(view.f32[pair.wordOf('second') + 8]).toBe(0.5);
    expect([...view.u32].filter((word) => word === 7)).toHaveLength(14);
  });

  test('a view of a part is of that part', () => {
    const { buffer } = new Uint8Array(32);
    wordView(buffer, 16, 8).u32.set([1, 2]);
    expect([...wordView(buffer).u32]).toEqual([0, 0, 0, 0, 1, 2, 0, 0]);
    const { u32, f32 } = wordView(buffer, 16, 8);
    expect([u32.length, f32.length]).toEqual([2, 2]);
  });

  test('the segment of a step has the fields that the shader reads, in order', () => {
    expect(fieldsIn(segmentStruct(PLAIN).wgsl).slice(0, 6)).toEqual([...segmentStruct(PLAIN).fields]);
    expect(segmentStruct(PLAIN).fields).toEqual([
      'lane_count',
      'element_count',
      'data_base',
      'grad_base',
      'state_base',
      'row',
    ]);
    expect(segmentStruct(PLAIN).byteLength).toBe(32);
  });
});

describe.for(allRuleFactories)('the row of %s', ([, factory]) => {
  const layout = layoutOf(factory());
  const row = rowLayout(layout);

  test('has its scalars behind what every row has, and a size that pages divide into', () => {
    expect(row.struct.fields.slice(0, 2)).toEqual(['is_active', 't_count']);
    expect(row.struct.fields.slice(2).toSorted()).toEqual(layout.scalars.toSorted());
    expect(fieldsIn(row.struct.wgsl).slice(0, row.struct.fields.length)).toEqual([...row.struct.fields]);
    expect(fieldsIn(row.struct.wgsl)).toHaveLength(row.struct.byteLength / 4);
    expect(row.struct.byteLength % 16).toBe(0);
    expect(row.pageByteLength % 256).toBe(0);
    expect(row.struct.byteLength * row.rowsPerPage).toBeLessThanOrEqual(row.pageByteLength);
  });

  test('has corrections behind one another, as the control stage writes them', () => {
    const words = row.corrections.map((name) => row.struct.wordOf(name));
    expect(words).toEqual(words.map((_, k) => words[0]! + k));
  });

  test('takes its page at group 1 as long as a page is', () => {
    expect(composePage(row)).toContain(
      `@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;`,
    );
    expect(composeVariables(layout, row)).toContain(row.struct.wgsl);
  });
});

describe('a slot of the ring', () => {
  const rows = [
    rowLayout({ scalars: ['a', 'b', 'c'], corrections: [] }),
    rowLayout(layoutOf(adam())),
    rowLayout({
      scalars: Array.from({ length: 60 }, (_, k) => `s${k}`),
      corrections: [{ name: 's0', rate: { beta: 0.5, damping: 0 } }],
    }),
    rowLayout({ scalars: Array.from({ length: 100 }, (_, k) => `s${k}`), corrections: [] }),
  ];

  test.for([1, 2, 15, 16, 17, 100])('has a place for each of %i rows, and none overlap', (capacity) => {
    for (const row of rows) {
      for (const controlled of [false, true]) {
        const slot = slotLayout(row, capacity, controlled);
        expect(slot.byteLength % 256).toBe(0);
        let end = controlled ? SETTINGS_BYTE_LENGTH : 0;
        for (let k = 0; k < capacity; k++) {
          const offset = rowOffset(row, slot, k);
          expect(offset).toBeGreaterThanOrEqual(end);
          end = offset + row.struct.byteLength;
          // A page is bound as a whole, and begins where a binding may.
          const page = offset - row.struct.byteLength * (k % row.rowsPerPage);
          expect(page % 256).toBe(0);
          expect(page + row.struct.byteLength * row.rowsPerPage).toBeLessThanOrEqual(slot.rates);
        }
        const ratesByteLength = controlled ? 16 * row.corrections.length * capacity : 0;
        expect(slot.rates + ratesByteLength).toBeLessThanOrEqual(slot.byteLength);
      }
    }
  });

  test('of one page is one page', () => {
    expect(slotLayout(rows[0]!, 8, false).byteLength).toBe(256);
    expect(slotLayout(rows[0]!, 9, false).byteLength).toBe(512);
    expect(rows.map(({ rowsPerPage }) => rowsPerPage)).toEqual([8, 4, 1, 1]);
  });
});
