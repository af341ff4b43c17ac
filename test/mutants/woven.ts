/** Slips in columns of 2-byte numbers that share their words with others. */
import { slipsIn } from './slip.js';

const STEPPED = 'gpu/woven#columns are stepped';
const MOVED = 'gpu/woven-calls#they are saved';
const REFUSED = 'gpu/woven-calls#which places';

export const wovenSlips = [
  ...slipsIn(
    'src/codecs/halves.ts',
    [STEPPED],
    [
      ['(places & vec4<u32>(1u)) << vec4<u32>(4u)', 'vec4<u32>(0u)'],
      ['`atomicXor(&', '`atomicStore(&'],
      ['`atomicXor(&', '`atomicOr(&'],
      ['>> shifts) & vec4<u32>(0xffffu))`', '>> shifts))`'],
      ['((halves ^ before) & vec4<u32>(0xffffu)) << shifts', '(halves ^ before) << shifts'],
    ],
  ),
  ...slipsIn(
    'src/plan/pieces.ts',
    [STEPPED],
    [
      ['[byteOffset, rows.byteStride, elementByteLengthOf', '[rows.byteStride, elementByteLengthOf'],
      ['[byteOffset, rows.byteStride, elementByteLengthOf', '[byteOffset, elementByteLengthOf'],
      ['rows.byteStride, elementByteLengthOf(piece) * rows.length]', 'rows.byteStride]'],
    ],
  ),
  ...slipsIn(
    'src/plan/stretch.ts',
    ['gpu/woven#one of them without gaps'],
    [
      ["if (isShared && [dataAccess, gradAccess].includes('woven')) dataAccess = gradAccess = 'woven';", ''],
      ["dataAccess === 'woven' ? rowLength : undefined", 'undefined'],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    [STEPPED],
    [["isAtomic: gradBinding === 'shared' && data === 'woven'", 'isAtomic: false']],
  ),
  ...slipsIn(
    'src/plan/norms/plan-norms.ts',
    ['gpu/woven#norms are'],
    [['isByCells(access) ? base :', "access === 'strided' ? base :"]],
  ),
  ...slipsIn(
    'src/stages/rows/map-rows.ts',
    [MOVED, 'gpu/woven-calls#rows without gaps'],
    [
      ['!Number.isInteger(words) || [...source', '[...source'],
      ['|| [...source, ...target].some(isWoven)', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-kernel.ts',
    [MOVED],
    [
      ['((value ^ before) & 0xffffu) << shift', '(value ^ before) << shift'],
      ['(source[k >> 1u] >> (16u * (k & 1u))) & 0xffffu', 'source[k >> 1u] & 0xffffu'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/parameter/columns.ts',
    [REFUSED],
    [['isWoven(piece) ? endOf(piece) : wordsEndOf(piece)', 'wordsEndOf(piece)']],
  ),
  ...slipsIn(
    'src/engine/input/parameter/span.ts',
    [REFUSED],
    [
      ['byteStride === undefined ? WORD :', 'byteStride !== undefined ? WORD :'],
      ['if (wordsEndOf(spaced) > piece.buffer.size) {', 'if (wordsEndOf(spaced) > 2 * piece.buffer.size) {'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/parameter/shared-words.ts',
    ['gpu/woven#tables with', 'gpu/woven#whatever is said'],
    [['hasSharedWords(piece) && !isWoven(piece)', 'hasSharedWords(piece)']],
  ),
];
