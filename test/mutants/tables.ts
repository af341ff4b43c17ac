/** Slips in what is said of rows: where they lie, which are left alone, what is done to them. */
import { slipsIn } from './slip.js';

export const tableSlips = [
  ...slipsIn(
    'src/engine/input/parameter/columns.ts',
    ['unit/tables'],
    [
      ['return distance < one.width ||', 'return distance <= one.width ||'],
      ['if (a.end <= b.start || b.end <= a.start) return false;', ''],
      ['distance + other.width > common', 'distance > common'],
      ['return b === 0 ? a : commonDivisor(b, a % b);', 'return b === 0 ? a : 1;'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/parameter/row-options.ts',
    ['unit/input-parameter'],
    [
      ['rowLength > LONGEST_UNIT_ROW', 'rowLength > 2 * LONGEST_UNIT_ROW'],
      ['(min as number) > (max as number)', '(min as number) > 2 * (max as number)'],
      ['!isList || columns.length !== rowLength', '!isList'],
      ['Number.isFinite(factor) && factor >= 0', 'Number.isFinite(factor)'],
      ['columns.includes(0) &&', 'columns.includes(-1) &&'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/parameter/span.ts',
    ['unit/input-parameter'],
    [
      ['- rowBytes) / stride) + 1', ') / stride) + 1'],
      ['if (stride === rowBytes && piece', 'if (stride === 0 && piece'],
      ['if (rowCount < 1) {', 'if (rowCount < 0) {'],
      ['if (elementCount % rowLength === 0) return;', 'return;'],
    ],
  ),
  ...slipsIn(
    'src/kernel/rate-scalars.ts',
    ['unit/tables', 'unit/input-parameter'],
    [
      ["? ['decay', ...names] : names", '? names : names'],
      ['=== value * RATES[k + 1]!', '!== value'],
    ],
  ),
  ...slipsIn(
    'src/kernel/segment.ts',
    ['gpu/tables'],
    [
      [
        'view.f32.set(columns, firstWord + (struct.byteLength / 4) * parts.length)',
        'view.f32.set(columns, firstWord)',
      ],
      ['{ min_weight: min, max_weight: max }', '{ min_weight: max, max_weight: max }'],
      ['{ mask_base: maskBase }', '{ mask_base: 0 }'],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-rows.ts',
    ['gpu/tables'],
    [
      ['rows[entry] != NO_ROW', 'true', 'unit/kernel', 'gpu/sparse#random rows, rows of 5'],
      ['mask[segment.mask_base + entry] != 0u', 'true'],
      ["'any(active_in(place_of(next)))'", "'all(active_in(place_of(next)))'"],
      ['(at.element + at.valid - 1u) / ROW_LENGTH + 1u)', '(at.element + at.valid - 1u) / ROW_LENGTH + 2u)'],
      ['(next / ROW_LANES + 1u) * ROW_LANES', '(next / ROW_LANES + 2u) * ROW_LANES', 'gpu/sparse'],
      ["'next + 1u'", "'next + 2u'"],
      ['select(next + lanes.stride, ${skip}, CONSECUTIVE)', '${skip}'],
      ['if (ROW_LENGTH % 4u == 0u) {', 'if (ROW_LENGTH % 4u < 2u) {'],
      ['${choose}  return select(before, after, is_active);', '${choose}  return after;'],
      ['let squares = select(lane(0.0), scaled * scaled, is_valid);', 'let squares = scaled * scaled;'],
      ['let own = left & (factors == lane(factor));', 'let own = left;'],
      ['largest >= 0x7f800000u', 'largest > 0x7f800000u', 'gpu/tables-run#a row that is not finite'],
      ['(slot) => `    ${slot} = before_${slot};`', '() => ``'],
    ],
  ),
  ...slipsIn(
    'src/codecs/codec.ts',
    ['gpu/tables'],
    [
      ['columns - ends * ROW_LENGTH', 'columns'],
      ['columns >= vec4<u32>(3u * ROW_LENGTH)', 'columns > vec4<u32>(3u * ROW_LENGTH)'],
    ],
  ),
  ...slipsIn(
    'src/plan/cut.ts',
    ['unit/tables'],
    [
      ['/ byteStride + 1)', '/ byteStride + 2)'],
      ['rows.byteStride * (elementCount / rows.length)', 'ELEMENT_BYTE_LENGTH * elementCount'],
      ['rows = skipRows(rows, elementCount);', ''],
      ['Math.floor(room / rowLength)', 'room / rowLength'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/map-input.ts',
    ['unit/tables'],
    [
      ["if (mask) enough('rowMask', [mask], 1);", ''],
      ['byteStride: piece.rows.byteStride', 'byteStride: 4'],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-rows.ts',
    ['gpu/tables-run#rows of columns move'],
    [
      ['strideOf(part) ?? rowLength', 'rowLength'],
      ['!rows && !codec && byteOffset % 16', 'byteOffset % 16', 'gpu/map-rows-in-place#one buffer grow'],
    ],
  ),
  ...slipsIn(
    'src/plan/join.ts',
    ['unit/tables'],
    [['return a.min === b.min && a.max === b.max;', 'return true;']],
  ),
  ...slipsIn('src/plan/reduction.ts', ['unit/tables'], [['start += data.elementCount;', '']]),
  ...slipsIn('src/plan/reduction-rows.ts', ['unit/tables'], [['!(rows || mask)', '!rows']]),
  ...slipsIn(
    'src/stages/control/compose-reduce.ts',
    ['gpu/tables-run#the norm and the search'],
    [
      ["table?.mask ? 'active_in(i, element_count) & ' : ''", "''"],
      ['mask_base: parts[0]!.table?.maskBase ?? 0', 'mask_base: 1'],
    ],
  ),
  ...slipsIn(
    'src/stages/measure/compose-measure.ts',
    ['gpu/tables-run#rules with norms'],
    [['let rows = portion.mask_base + cells_of(at).rows;', 'let rows = cells_of(at).rows;']],
  ),
  ...slipsIn(
    'src/stages/side/evaluation.ts',
    ['gpu/tables-run#averages are served'],
    [['...(rowLength !== undefined && { rowLength }), ', '']],
  ),
  ...slipsIn(
    'src/engine/calls/gradients.ts',
    ['gpu/tables-run#zeroGrad'],
    [
      ['if (this.#clearing) run.retire([this.#clearing]);', '', 'gpu/tables-run#nothing is left behind'],
      ['grad.filter(({ rows }) => !rows)', 'grad'],
      ['if (isPending) run.expectSubmission();', '', 'gpu/freeze-remove#micro-batches'],
      ['if (isPending) this.run.expectSubmission();', ''],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/packing.ts',
    ['gpu/tables-run#nothing is left behind'],
    [['value.packed.destroy();', '']],
  ),
  ...slipsIn(
    'src/reference/tensor/table-step.ts',
    ['unit/tables'],
    [
      ['mask[Math.floor(i / rowLength!)] !== 0', 'mask[Math.floor(i / rowLength!)] === 1'],
      ['columns[element % rowLength!]!', 'columns[0]!'],
      ['elements.map((i) => Math.floor(i / length))', 'elements.map(() => 0)'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/constrain.ts',
    ['unit/tables'],
    [
      ['if (!magnitudes.every(Number.isFinite)) return [...row];', ''],
      [
        'const { min = -Infinity, max = Infinity } = constraint;',
        'const { min = -Infinity, max = 1 } = constraint;',
      ],
      ['f.ifPositive(longest, f.div(scaled[k]!, norm), w)', 'f.div(scaled[k]!, norm)'],
    ],
  ),
];
