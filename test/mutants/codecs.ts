/** Slips in what keeps state in fewer bits. */
import { slipsIn } from './slip.js';

const EVERY_RULE = 'gpu/state-dtype#every rule';
const ROWS = 'gpu/state-dtype#rows move';
const SAVED = 'gpu/state-dtype#is saved';
const REFUSED = 'gpu/state-dtype#is refused';

export const codecSlips = [
  ...slipsIn(
    'shaders/codecs/bf16.wgsl',
    [EVERY_RULE],
    [
      ['words.x << 16u', 'words.x'],
      ['+ is_odd;', ';'],
      ['vec4<u32>(0x7fffu)', 'vec4<u32>(0x8000u)'],
      ['halves.z | (halves.w << 16u)', 'halves.w | (halves.z << 16u)'],
    ],
  ),
  ...slipsIn(
    'src/codecs/bf16.ts',
    ['unit/codecs'],
    [
      ['word | 0x40_0000', 'word'],
      ['((word >>> 16) & 1)', '0'],
      ['roundingError: 2 ** -8', 'roundingError: 2 ** -9'],
      ['halfOf(value) * 0x1_0001', 'halfOf(value)'],
      ['4 * Math.ceil(elementCount / 2)', '2 * elementCount'],
      ['select(0u, 1u, at.valid > 2u)', '0u', 'gpu/state-dtype#tables of even'],
      ['if (at.valid > 2u) {', 'if (at.valid > 3u) {', 'gpu/state-dtype#tables of even'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/rows/map-halves.wgsl',
    [ROWS],
    [
      ['2u * k + side', '2u * k'],
      ['if (element >= portion.element_count)', 'if (element > portion.element_count)'],
      ['(16u * (at & 1u))', '0u'],
      ['entry < portion.rows_before', 'entry <= portion.rows_before'],
      ['word & ~(0xffffu << shift)', 'word'],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-halves.ts',
    [ROWS],
    [
      ['isInPlace ? copyOf(device, encoder, source, label, own) : source', 'source'],
      ['map.rowCount * rowLength', 'map.rowsBefore * rowLength'],
      ['first += byteLength / HALF;', 'first += byteLength;', ROWS],
    ],
  ),
  ...slipsIn(
    'src/kernel/rule-layout.ts',
    ['unit/rule-layout'],
    [
      ['isExact || name', 'name'],
      ['name === declaration.evaluation?.slot ? f32', 'false ? f32', 'gpu/state-dtype#evaluated with'],
    ],
  ),
  ...slipsIn(
    'src/engine/run/group-part.ts',
    [REFUSED],
    [['elementCount % LANE !== 0', 'elementCount % LANE === 9']],
  ),
  ...slipsIn(
    'src/engine/optimizer.ts',
    [REFUSED],
    [['rejectSharedWords(entry.part.group.rule, parameter);', '{}']],
  ),
  ...slipsIn(
    'src/engine/calls/state-input.ts',
    [REFUSED],
    [['Number.isFinite(codec.round(value))', 'Number.isFinite(value)']],
  ),
  ...slipsIn(
    'src/engine/input/state-options.ts',
    [REFUSED],
    [
      ["if (stateDtype === 'f32' || isRounded) return;", 'return;'],
      ['elementCount % LANE !== 0', 'elementCount % LANE === 9'],
      ['rowLength % 2 === 0', 'rowLength % 2 === 1'],
      ["constraint === 'unit-rows')) return;", 'false)) return;'],
    ],
  ),
  ...slipsIn(
    'src/plan/stretch.ts',
    [EVERY_RULE],
    [
      ['bindingAlignment(limits) / leastStateByteLength', 'bindingAlignment(limits) / ELEMENT_BYTE_LENGTH'],
      ['&& element % LANE !== 0', '&& element % 2 !== 0', 'unit/state-lanes'],
    ],
  ),
  ...slipsIn(
    'src/plan/join.ts',
    ['gpu/state-dtype#neighbours'],
    [['if (start % unit !== 0) return undefined;', '']],
  ),
  ...slipsIn(
    'src/checkpoint/load.ts',
    [SAVED],
    [
      ['if (from === to && piece.byteLength % 4 === 0) return piece;', 'if (from === to) return piece;'],
      ['if (from === to && piece', 'if (piece'],
      ['piece.byteLength / from.leastByteLength', 'piece.byteLength / to.leastByteLength'],
    ],
  ),
  ...slipsIn(
    'src/checkpoint/save.ts',
    [SAVED],
    [
      ['end += wordBytes;', 'end += valueBytes[k]!;'],
      ['dtype: codec.dtype', "dtype: 'F32'"],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/editing.ts',
    [ROWS],
    [
      ['codec.leastByteLength < ELEMENT_BYTE_LENGTH', 'codec.leastByteLength > ELEMENT_BYTE_LENGTH'],
      ['(first + count) / rowLength!', 'first / rowLength!'],
    ],
  ),
  ...slipsIn(
    'src/reference/parameter-state.ts',
    [EVERY_RULE],
    [
      ['values[i] = keep(store(element[slot]!))', 'values[i] = store(element[slot]!)'],
      ['if (keep !== identity) values', 'if (keep === identity) values', ROWS],
    ],
  ),
];
