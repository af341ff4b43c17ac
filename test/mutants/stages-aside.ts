/** Slips in sparse sums and in evaluation, and in their WGSL. */
import { slipsIn } from './slip.js';

export const asideSlips = [
  ...slipsIn(
    'src/stages/sparse/row-sums.ts',
    ['gpu/sparse', 'gpu/row-sums'],
    [
      ['hasCount = count !== undefined', 'hasCount = false', 'gpu/sparse#a count on the GPU'],
      [
        'rowLength % LANE === 0 && values.byteOffset % (LANE * ELEMENT_BYTE_LENGTH) === 0',
        'rowLength % LANE === 0',
        'gpu/sparse-engine#may lie in one buffer',
        'gpu/sparse#steps the rows',
      ],
      ['plan.shifts[k] ?? 0', '0'],
      ['plan.strides[k] ?? 0', '0'],
      ['baseOf(values) / laneWidth', 'baseOf(values)', 'gpu/row-sums'],
      [
        'count_base: baseOf(count)',
        'count_base: 0',
        'gpu/sparse#a count on the GPU',
        'gpu/sparse-engine#may lie in one buffer',
      ],
      ['pairs[(plan.shifts.length + 1) % 2]!', 'pairs[0]!'],
      ['Math.max(plan.shifts.length, plan.strides.length)', 'plan.shifts.length'],
      ['this.#settings.binding(settings,', 'this.#settings.binding(0,'],
      ['byteLength + (byteOffset % alignment)', 'byteLength', 'gpu/sparse-engine#no binding holds'],
      ['for (const own of this.#own) own.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
      [
        '[this.summed, this.rows, ...pairs, histogram, this.#settings]',
        '[this.summed, this.rows, ...pairs, histogram]',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      ['8 * entryCount },', '4 * entryCount },', 'gpu/sparse-engine#refuses'],
    ],
  ),
  ...slipsIn(
    'src/stages/sparse/sparse-stage.ts',
    ['gpu/added-groups#tables behind'],
    [
      [
        'of this.summed) if (step.isActive(tensor.row)) sums.encode(pass);',
        'of this.summed.slice(0, 1)) if (step.isActive(tensor.row)) sums.encode(pass);',
      ],
    ],
  ),
  ...slipsIn(
    'src/stages/side/evaluation.ts',
    [
      'gpu/evaluation-averages#eval is the average',
      'gpu/evaluation-averages#comes back',
      'gpu/evaluation#and train comes back',
    ],
    [
      ['[{ factor: share }, { factor: -share }]', '[{ factor: share }, { factor: share }]'],
      ['[1, 0].map((wanted)', '[1, 1].map((wanted)'],
      ['const direction = isEvaluating ? 0 : 1;', 'const direction = isEvaluating ? 1 : 0;'],
      [
        'for (const side of this.#passes) side.encode(pass, direction);',
        'for (const side of this.#passes.slice(0, 1)) side.encode(pass, direction);',
        'gpu/evaluation#groups, resumed',
        'gpu/evaluation-averages#made no step',
      ],
      [
        'for (const group of groups) {',
        'for (const group of groups.slice(0, 1)) {',
        'gpu/evaluation#groups, resumed',
        'gpu/evaluation-averages#made no step',
      ],
      ['ROW_WORDS: row.pageByteLength / 4', 'ROW_WORDS: row.struct.byteLength / 4'],
      ['...(state && { state }) };', '};'],
      [
        'for (const side of this.#passes) side.destroy();',
        '',
        'gpu/object-lifetimes#with the number of changes: eval and train',
        'gpu/object-lifetimes#nothing is left behind',
      ],
    ],
  ),
  ...slipsIn(
    'src/stages/side/side-pass.ts',
    ['gpu/groups-and-accumulation#micro-batches', 'gpu/evaluation#and train comes back'],
    [
      [
        'this.#idle = rows.context(rowCount);',
        'this.#idle = rows.context(0);',
        'gpu/groups-and-accumulation#of all groups',
      ],
      ['this.stage.destroy();\n', '', 'gpu/object-lifetimes#nothing is left behind'],
      ['this.rows.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
      ['this.#contexts[k]!', 'this.#contexts[0]!'],
    ],
  ),
  ...slipsIn(
    'src/stages/side/accumulation.ts',
    ['gpu/groups-and-accumulation#micro-batches'],
    [['reference: ({ add }, { w, g }) => add(w, g)', 'reference: ({ add }, { w }) => add(w, w)']],
  ),
  ...slipsIn(
    'shaders/stages/sparse/sum-rows.wgsl',
    ['gpu/sparse', 'gpu/row-sums'],
    [
      ['min(entry + ROW_BLOCK, named_entries())', 'named_entries()'],
      ['select(NO_ROW, row, within == 0u)', 'row'],
      ['entry >= named_entries() || ', '', 'gpu/sparse#a count on the GPU'],
      ['block.y > 0u', 'true'],
      ['known - min(step - 1u, known)', 'known - min(step - 2u, known)'],
      ['summed[k * ROW_LANES + base] = lane(0.0);', ''],
    ],
  ),
  ...slipsIn(
    'shaders/stages/sparse/entries.wgsl',
    ['gpu/sparse#a count on the GPU', 'gpu/sparse-engine'],
    [
      ['counts[settings.count_base]', 'counts[0]'],
      ['min(settings.entry_count, counts[settings.count_base])', 'counts[settings.count_base]'],
    ],
  ),
];
