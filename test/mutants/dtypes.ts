/** Slips in weights and gradients of 2 bytes, and in how they are rounded. */
import { slipsIn } from './slip.js';

const STEP = 'gpu/dtype#whatever';
const NORMS = 'gpu/dtype-calls#their norms';
const ROWS = 'gpu/dtype-calls#rows of them';
const REFUSED = 'gpu/dtype-calls#what they cannot be';

export const dtypeSlips = [
  ...slipsIn(
    'src/plan/pieces.ts',
    ['gpu/dtype-calls#micro-batches'],
    [
      ['codec ? elementCount % codec.blockLength : 0', '0'],
      ['elementByteLengthOf(piece) * first, elementCount: count', 'elementCount: count'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/gradients.ts',
    ['gpu/dtype-calls#micro-batches'],
    [['(rest.length > 0 ? [{ index, row: 0, data: rest }] : [])', '[]']],
  ),
  ...slipsIn(
    'src/engine/calls/state/uploading.ts',
    ['gpu/dtype-calls#what shares'],
    [
      ['if (floats.length > 0) {', 'if (floats.length > 9) {'],
      ['byteOffset + byteLength - 4, buffer', 'byteOffset, buffer'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/parameter-state.ts',
    ['unit/master-weights'],
    [
      ['mask: rowMask,\n      sparse: isSparse(grad),\n', 'mask: rowMask,\n      sparse: false,\n'],
      ['rejectSharedRows(this.rule, {', 'void ({'],
    ],
  ),
  ...slipsIn(
    'shaders/codecs/i32.wgsl',
    ['gpu/fixed-point#they are read'],
    [
      [
        'vec4<f32>(words >> vec4<u32>(16u)) * 65536.0 + vec4<f32>(words & vec4<i32>(0xffff))',
        'vec4<f32>(words | vec4<i32>(1))',
      ],
      ['clamp(round(value)', 'clamp(floor(value)', 'gpu/fixed-point#micro-batches'],
      ['2147483520.0', '2147483392.0', 'gpu/fixed-point#micro-batches'],
    ],
  ),
  ...slipsIn(
    'src/codecs/i32.ts',
    ['unit/i32'],
    [
      ['low % 2 === 0 ? low : low + 1', 'low + 1'],
      ['if (!codec) codecs.set(', 'codecs.set('],
      ['name: `i32/${scale}`', "name: 'i32'", 'gpu/fixed-point#they are rebound'],
      ['value * ${most}f', 'value * ${step}f', 'gpu/fixed-point#micro-batches'],
    ],
  ),
  ...slipsIn(
    'src/codecs/weight-dtype.ts',
    ['gpu/fixed-point#what they cannot'],
    [
      ['scale > 0 &&', 'scale >= 0 &&'],
      ['[scale, 1 / scale].every(fitsFloat32)', 'fitsFloat32(scale)'],
      ['if (gradScale !== undefined) {', 'if (gradScale === 0) {'],
    ],
  ),
  ...slipsIn(
    'src/stages/sparse/compose-row-sums.ts',
    ['unit/i32'],
    [
      [
        'laneWidth === 4 ? codec.convert!',
        'laneWidth === 1 ? codec.convert!',
        'gpu/fixed-point#rows of them',
      ],
    ],
  ),
  ...slipsIn('src/reference/tensor/keeping.ts', ['unit/i32'], [['if (gradDtype !== ', 'if (gradDtype === ']]),
  ...slipsIn(
    'src/engine/input/parameter/shared-words.ts',
    ['gpu/dtype-calls#what they cannot'],
    [['(codec?.blockLength ?? 1) > 1', 'codec === undefined']],
  ),
  ...slipsIn(
    'shaders/codecs/f16.wgsl',
    [STEP],
    [
      ['vec4<u32>(113u)', 'vec4<u32>(112u)'],
      ['+ ((digits >> dropped) & one)', ''],
      ['rest >= vec4<u32>(0x477ff000u)', 'rest > vec4<u32>(0x477ff000u)'],
      ['rest < vec4<u32>(0x400u)', 'rest < vec4<u32>(0x200u)', 'gpu/dtype-calls#a gradient of zeros'],
      ['rest >= vec4<u32>(0x7c00u)', 'rest > vec4<u32>(0x7c00u)', 'gpu/dtype-calls#a gradient of zeros'],
    ],
  ),
  ...slipsIn(
    'shaders/codecs/random-f16.wgsl',
    [STEP],
    [
      ['vec4<u32>(0x7bffu)', 'vec4<u32>(0x7c00u)'],
      ['vec4<u32>(32u) - dropped', 'vec4<u32>(31u) - dropped'],
    ],
  ),
  ...slipsIn('shaders/codecs/random-bf16.wgsl', [STEP], [['(random >> vec4<u32>(16u))', 'random']]),
  ...slipsIn(
    'src/codecs/f16.ts',
    ['unit/halves'],
    [
      ['rest >= 0x477f_f000) return sign', 'rest > 0x477f_f000) return sign'],
      ['((digits >>> dropped) & 1)', '0'],
      ['Math.min(all, 25)', 'Math.min(all, 24)'],
      ['Math.min(all, 31)', 'Math.min(all, 24)', 'unit/rounding'],
    ],
  ),
  ...slipsIn(
    'src/codecs/halves.ts',
    ['gpu/dtype#every rule'],
    [['if ((at.valid & 1u) == 1u) {', 'if (at.valid == 9u) {']],
  ),
  ...slipsIn(
    'src/codecs/philox.ts',
    ['unit/rounding'],
    [
      ['a * (b >>> 16) +', ''],
      ['(k0 + 0x9e37_79b9) >>> 0', 'k0'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/keeping.ts',
    ['unit/rounding'],
    [
      ['seed % 2 ** 32, ', '0, ', STEP],
      ['Math.floor(seed / 2 ** 32)', '0'],
      ['|| last.t !== t', '', ROWS],
      ['element % 4', '0'],
    ],
  ),
  ...slipsIn(
    'src/random-stream.ts',
    ['unit/arena', 'gpu/initial-weights'],
    [
      ['return [Number(hash & 0xffffffffn), Number(hash >> 32n)];', 'return [1, Number(hash >> 32n)];'],
      ['Number(hash & 0xffffffffn), Number(hash >> 32n)', 'Number(hash & 0xffffffffn), 0'],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    [STEP],
    [
      ['at.element / 4u', 'at.element'],
      ['h.t_count, segment', '1u, segment', ROWS],
    ],
  ),
  ...slipsIn(
    'src/plan/join.ts',
    [NORMS],
    [['if (data.codec !== nextData.codec) return undefined;', '', 'unit/runs']],
  ),
  ...slipsIn(
    'src/stages/rows/map-rows.ts',
    [ROWS],
    [['(rowLength * elementByteLengthOf({ codec })) / ELEMENT_BYTE_LENGTH', 'rowLength']],
  ),
  ...slipsIn(
    'src/engine/input/parameter/shared-words.ts',
    [REFUSED],
    [
      ['elementCount % LANE !== 0', 'elementCount % LANE === 9'],
      ['own.codec !== codec', 'own.codec === undefined'],
      ['rowLength % 2 === 0', 'rowLength % 2 === 1'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/options/rounding-options.ts',
    [REFUSED],
    [
      ["if (constraint === 'unit-rows') {", 'if (constraint === undefined) {'],
      ['seed === undefined || isAnyRounded', 'true', 'unit/rounding'],
      ['if (!stochasticRounding) fail', 'if (seed === -2) fail', 'unit/rounding'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/evaluating.ts',
    [REFUSED],
    [['if (isEvaluating) this.#rejectRounded(call);', '']],
  ),
];
