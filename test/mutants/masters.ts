/** Slips in what keeps weights of 2 bytes more exactly. */
import { slipsIn } from './slip.js';

const STEP = 'gpu/master-weights';
const CALLS = 'gpu/master-weights-calls';
const ROWS = 'gpu/master-weights-rows';
const SAVED = 'gpu/master-weights-saved';
const UNIT = 'unit/master-weights';

export const masterSlips = [
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    [`${ROWS}#rows that are left alone`],
    [['select(load_${masters.slot}(at), ${kept}, active_in(at))', '${kept}']],
  ),
  ...slipsIn(
    'shaders/codecs/corrected-bf16.wgsl',
    [STEP],
    [
      ['+ CORRECTION_STEP / 2', ''],
      ['select(exact, rest, rest >= infinity)', 'exact', `${CALLS}#any weights`],
      [', vec4<i32>(0));\n  // NaN', ', vec4<i32>(-0x7fffffff));\n  // NaN', `${CALLS}#any weights`],
      ['| (copy & vec4<u32>(0x80000000u))', ''],
    ],
  ),
  ...slipsIn(
    'src/codecs/correction.ts',
    [UNIT],
    [
      ['copy + STEP / 2)', 'copy)'],
      ['if (copy >= INFINITY_BITS) return 0;', ''],
      ['if (rest >= INFINITY_BITS) return copy;', ''],
      ['| (word & 0x8000_0000)', ''],
      ['Math.abs(value) <= MOST', 'true', `${CALLS}#what they cannot`],
      ['vec4<u32>(24u, 16u, 8u, 0u)', 'vec4<u32>(0u, 8u, 16u, 24u)', STEP],
      ["access === 'vector' ?", "access === 'gather' ?", STEP],
    ],
  ),
  ...slipsIn(
    'src/codecs/masters.ts',
    [UNIT],
    [
      ['(Object.is(dtype.round!(kept), copy) ? kept : copy)', 'kept'],
      ['bits_of_${dtype}(pack_${dtype}(${kept})) == ${copy}', 'vec4<bool>(true)', `${CALLS}#whoever`],
      ["dtypes: ['bf16']", "dtypes: ['bf16', 'f16']"],
    ],
  ),
  ...slipsIn(
    'src/engine/input/options/master-options.ts',
    [`${CALLS}#what they cannot`],
    [
      ['if (stochasticRounding === true) {', 'if (masterWeights === true) {'],
      ['if (masterWeights === undefined || isAnyRounded) return;', 'return;'],
      ['return withoutMasters(rule);', 'return rule;', `${CALLS}#float32 weights`],
      ['if (floats) {', 'if (floats && !floats) {', `${CALLS}#float32 weights`],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    [STEP],
    [
      ["masters.kept('value')", "'value'"],
      ['${masters ? `  store_${masters.slot}', '${!masters ? `  store_${masters!.slot}'],
    ],
  ),
  ...slipsIn(
    'src/stages/measure/compose-measure.ts',
    [STEP],
    [["name === 'data' ? layout.masters : undefined", 'undefined']],
  ),
  ...slipsIn(
    'src/kernel/rule-layout.ts',
    [UNIT],
    [
      ["others.push({ what: 'masterWeights', names: [masters.slot] })", 'void 0'],
      ['...new Set([...declared, ...laneSlots])', '...new Set([...declared, ...elementSlots])'],
    ],
  ),
  ...slipsIn(
    'src/stages/side/evaluation.ts',
    [`${CALLS}#evaluation`],
    [['name === masters?.slot ? name : slot', 'slot']],
  ),
  ...slipsIn(
    'src/engine/calls/state/restoring.ts',
    [`${SAVED}#a dict of others`],
    [
      ['left.push(...part.stateRanges(name, tensor.index))', 'void 0'],
      ['name === part.layout.masters?.slot', 'name === undefined'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/editing.ts',
    [`${ROWS}#rows move`],
    [['.filter(({ name }) => name !== masters?.slot)', '']],
  ),
  ...slipsIn(
    'src/engine/calls/state/reading.ts',
    [`${CALLS}#float32 weights`],
    [["slot === layout.masters?.slot ? 'masterWeights' :", '']],
  ),
  ...slipsIn(
    'src/checkpoint/save.ts',
    [`${SAVED}#they are saved`],
    [['codec.isScaled ?', "codec.dtype === 'U8' ?"]],
  ),
  ...slipsIn(
    'src/checkpoint/accept.ts',
    [`${SAVED}#copies that`],
    [
      ['!masters || ', '!!masters || '],
      ['saved === codec || saved === f32', 'true'],
    ],
  ),
  ...slipsIn(
    'src/checkpoint/load.ts',
    [`${SAVED}#copies that`],
    [['if (isStrict) rejectOtherCopies', 'rejectOtherCopies']],
  ),
  ...slipsIn(
    'src/engine/input/options/state-options.ts',
    [`${CALLS}#what they cannot`],
    [['masters?.codec.blockLength === stateForm.blockLength', 'false']],
  ),
  ...slipsIn(
    'src/reference/tensor/parameter-state.ts',
    [UNIT],
    [
      ['masters.keptOf(value)', 'value', STEP],
      [
        'if (slot === this.#masters?.slot && !saved[slot]) values.fill(0);\n      else',
        '',
        `${SAVED}#a dict`,
      ],
    ],
  ),
  ...slipsIn('src/codecs/blocks.ts', [UNIT], [['!(value < 0)', 'true']]),
  ...slipsIn(
    'src/reference/saved-run.ts',
    [UNIT],
    [['rejectMisfits(codec, ofSlot[slot]', 'rejectMisfits(codec, []']],
  ),
  ...slipsIn(
    'src/engine/calls/state/state-input.ts',
    [`${CALLS}#what they cannot`],
    [['if (misfit !== undefined)', 'if (misfit === what)']],
  ),
];
