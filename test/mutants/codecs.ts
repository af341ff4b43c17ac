/** Slips in what keeps state in fewer bits. */
import { slipsIn } from './slip.js';

const EVERY_RULE = 'gpu/state-dtype#every rule';
const ROWS = 'gpu/state-dtype-calls#rows move';
const SAVED = 'gpu/state-dtype-calls#is saved';
const REFUSED = 'gpu/state-dtype-refused#is refused';

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
    ['unit/codecs', 'unit/halves'],
    [
      ['word | 0x40_0000', 'word'],
      ['((word >>> 16) & 1)', '0'],
      ['roundingError: 2 ** -8', 'roundingError: 2 ** -9'],
    ],
  ),
  ...slipsIn(
    'src/codecs/halves.ts',
    ['unit/codecs'],
    [
      ['blockLength: 2', 'blockLength: 4'],
      ['select(0u, 1u, at.valid > 2u)', '0u', 'gpu/dtype-calls#tables with sparse'],
      ['last = first + 1u;', '', 'gpu/dtype-calls#tables with sparse'],
    ],
  ),
  ...slipsIn(
    'shaders/codecs/blocks.wgsl',
    [EVERY_RULE],
    [
      ['bits >= least', 'bits > least', 'gpu/state-dtype#numbers of any size'],
      [
        'finite, bits | 0x400000u, bits >= INFINITY_BITS',
        'finite, bits | 0x400000u, false',
        'gpu/state-dtype#numbers of any size',
      ],
      [
        'max(max(largest.x, largest.y), max(largest.z, largest.w))',
        'max(largest.x, max(largest.z, largest.w))',
      ],
      ['(most + 1.5)', '(most + 1.0)'],
      ['abs(x)) + (most', 'x) + (most'],
      ['vec4<u32>(1u), value > lane(0.0)', 'vec4<u32>(0u), value > lane(0.0)'],
      ['root * most + 0.5', 'root * most'],
      ['vec4<i32>(block_unpack', 'vec4<u32>(block_unpack'],
      ['2.0 * most - abs(q)', '2.0 * most - q'],
      [
        'scale == 0u || scale >= INFINITY_BITS',
        'scale >= INFINITY_BITS',
        'gpu/state-dtype#numbers of any size',
      ],
    ],
  ),
  ...slipsIn(
    'src/codecs/blocks.ts',
    ['unit/codecs'],
    [
      ['floor(fround(code + (most + 1.5)))', 'floor(fround(code + (most + 1)))'],
      ['value < MIN_NORMAL ? 0', 'value <= 0 ? 0'],
      ['Math.max(nearestCode, 1)', 'nearestCode'],
      ['isPositive ? value : abs(value)', 'abs(value)'],
      ['largest < leastScale ? 0 : largest', 'largest'],
      ['if (!Number.isFinite(value)) return NaN;', ''],
      ['atTop >>> (32 - bits) : atTop', 'atTop >> (32 - bits) : atTop'],
      ['if (!(largest >= leastScale)) continue;', '', 'unit/codecs'],
      ['at.element + 4u < ', 'at.element + 8u < ', EVERY_RULE],
      ['select(lane(0.0), value, is_valid)', 'value', EVERY_RULE],
      ['vec4<bool>(within == 0u)', 'vec4<bool>(false)', EVERY_RULE],
    ],
  ),
  ...slipsIn(
    'src/codecs/codec.ts',
    ['unit/state-lanes'],
    [
      ['blockLength > 1 ? Math.max(LANE, blockLength) : 1', 'blockLength'],
      ['/ gcd(byteAlignment, codec.blockByteLength)', '/ codec.blockByteLength'],
    ],
  ),
  ...slipsIn(
    'src/plan/plan.ts',
    ['unit/state-lanes'],
    [['isScaled ? () => 0 : facts.paddingOf', 'facts.paddingOf']],
  ),
  ...slipsIn(
    'src/kernel/shape.ts',
    ['gpu/state-dtype#kernels of any shape'],
    [
      ['alignUp(shape.lanesPerInvocation, blockLanes)', 'shape.lanesPerInvocation'],
      ['blockLanes),\n  consecutive: true', 'blockLanes),\n  consecutive: shape.consecutive'],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-state.ts',
    [ROWS],
    [
      ['map.rowsBefore * rowLength', 'map.rowCount * rowLength'],
      ['target: after, fresh', 'target: after, fresh: fresh + 1'],
      ['ranges: target', 'ranges: source'],
    ],
  ),
  ...slipsIn(
    'src/stages/side/recode.ts',
    [ROWS],
    [
      ['toFloats ? unpack() : pack()', 'pack()'],
      ['Math.min(left, elements(byteLength))', 'elements(byteLength)'],
    ],
  ),
  ...slipsIn(
    'src/kernel/rule-layout.ts',
    ['unit/rule-layout'],
    [
      ['isExact || name', 'name'],
      ['name === declaration.evaluation?.slot', 'false', 'gpu/state-dtype-calls#evaluated with'],
    ],
  ),
  ...slipsIn(
    'src/engine/run/group-part.ts',
    [REFUSED],
    [['elementCount % cutLength !== 0', 'elementCount % cutLength === 99']],
  ),
  ...slipsIn(
    'src/engine/optimizer.ts',
    [REFUSED],
    [['rejectSharedWords(entry.part.group.rule, parameter);', '{}']],
  ),
  ...slipsIn(
    'src/engine/calls/state/state-input.ts',
    [REFUSED],
    [['codec.isScaled ? floats : rounded(codec, floats)', 'floats']],
  ),
  ...slipsIn(
    'src/engine/input/options/state-options.ts',
    [REFUSED],
    [
      ["if (stateDtype === 'f32' || isRounded) return;", 'return;'],
      ['elementCount % cutLength !== 0', 'elementCount % cutLength === 99'],
      ['rowLength % blockLength === 0', 'rowLength % blockLength === 1'],
      ["constraint === 'unit-rows' &&", 'false &&'],
      ['isScaled && mask !== undefined &&', 'false &&'],
      ["Boolean(sparse) && 'a sparse grad'", 'false'],
    ],
  ),
  ...slipsIn(
    'src/plan/stretch.ts',
    [EVERY_RULE],
    [
      ['formOf(facts).alignment(bindingAlignment(facts.limits))', '64', 'unit/state-lanes'],
      ['elementCount % Math.max(LANE, formOf(facts).cutLength)', 'elementCount % LANE'],
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
      ['saved === codec && piece.byteLength % 4 === 0', 'saved === codec'],
      ['saved === codec && piece', 'piece'],
      ['left -= own;', ''],
    ],
  ),
  ...slipsIn(
    'src/checkpoint/accept.ts',
    ['gpu/state-dtype-refused#of as many blocks'],
    [['length === valueCount && byteLength', 'byteLength']],
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
    'src/engine/calls/state/editing.ts',
    [ROWS],
    [
      ['ranges && codec.blockLength > 1', 'ranges && codec.blockLength > 64'],
      ['(first + count) / rowLength!', 'first / rowLength!'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/parameter-state.ts',
    [EVERY_RULE],
    [
      ['for (const [, values, codec] of arrays) keep(codec, values);', ''],
      ['if (codec) keep(codec, values);', '', ROWS],
    ],
  ),
];
