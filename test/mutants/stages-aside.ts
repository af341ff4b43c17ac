/** Slips in sparse sums and in evaluation, and in the WGSL of the stages. */
import { slipsIn } from './slip.js';

const averaged = ['gpu/evaluation-averages', 'gpu/evaluation'];
const sums = ['gpu/sparse', 'gpu/row-sums'];
const control = ['gpu/control-stage', 'gpu/loss-scale'];

export const asideSlips = [
  ...slipsIn('src/stages/sparse/row-sums.ts', sums, [
    ['count !== undefined),', 'false),'],
    [
      'rowLength % LANE === 0 && values.byteOffset % (LANE * ELEMENT_BYTE_LENGTH) === 0',
      'rowLength % LANE === 0',
    ],
    ['plan.shifts[k] ?? 0', '0'],
    ['plan.strides[k] ?? 0', '0'],
    ['baseOf(values) / laneWidth', 'baseOf(values)'],
    ['count_base: baseOf(count)', 'count_base: 0'],
    ['pairs[plan.shifts.length % 2]!, pairs[(plan.shifts.length + 1) % 2]!', 'pairs[0]!, pairs[1]!'],
    ['Math.max(plan.shifts.length, plan.strides.length)', 'plan.shifts.length'],
    ['this.#settingsStride * settings,', '0,'],
  ]),
  ...slipsIn(
    'src/stages/sparse/row-sums.ts',
    ['gpu/sparse-engine', 'gpu/object-lifetimes'],
    [
      ['byteLength + (byteOffset % alignment)', 'byteLength'],
      ['for (const buffer of this.#own) buffer.destroy();', ''],
      [
        '[this.summed, this.rows, ...pairs, histogram, this.#settings]',
        '[this.summed, this.rows, ...pairs, histogram]',
      ],
      ['8 * entryCount },', '4 * entryCount },'],
    ],
  ),
  ...slipsIn(
    'src/stages/sparse/sparse-stage.ts',
    ['gpu/leaving-out-norm', 'gpu/added-groups'],
    [
      [
        'of this.summed) if (step.isActive(tensor.row)) sums.encode(pass);',
        'of this.summed.slice(0, 1)) if (step.isActive(tensor.row)) sums.encode(pass);',
      ],
    ],
  ),
  ...slipsIn('src/stages/side/evaluation.ts', averaged, [
    ['[{ factor: share }, { factor: -share }]', '[{ factor: share }, { factor: share }]'],
    ['[1, 0].map((wanted)', '[1, 1].map((wanted)'],
    ['const direction = isEvaluating ? 0 : 1;', 'const direction = isEvaluating ? 1 : 0;'],
    [
      'for (const side of this.#passes) side.encode(pass, direction);',
      'for (const side of this.#passes.slice(0, 1)) side.encode(pass, direction);',
    ],
    ['for (const group of groups) {', 'for (const group of groups.slice(0, 1)) {'],
    ['ROW_WORDS: row.pageByteLength / 4', 'ROW_WORDS: row.struct.byteLength / 4'],
    ['...(state && { state }) };', '};'],
  ]),
  ...slipsIn(
    'src/stages/side/evaluation.ts',
    ['gpu/object-lifetimes', 'gpu/evaluation-averages'],
    [['for (const side of this.#passes) side.destroy();', '']],
  ),
  ...slipsIn(
    'src/stages/side/side-pass.ts',
    ['gpu/groups-and-accumulation', 'gpu/object-lifetimes'],
    [
      ['this.#idle = rows.context(rowCount);', 'this.#idle = rows.context(0);'],
      ['this.stage.destroy();\n', ''],
      ['this.rows.destroy();', ''],
      ['this.#contexts[k]!', 'this.#contexts[0]!'],
    ],
  ),
  ...slipsIn(
    'src/stages/side/accumulation.ts',
    ['gpu/groups-and-accumulation'],
    [['reference: ({ add }, { w, g }) => add(w, g)', 'reference: ({ add }, { w }) => add(w, w)']],
  ),
  ...slipsIn('shaders/stages/control/decide.wgsl', control, [
    ['let least = min(head.loss_scale, LEAST_LOSS_SCALE);', 'let least = LEAST_LOSS_SCALE;'],
    ['head.growth_tracker = 0u;\n    return;', 'return;'],
    [
      'head.growth_tracker >= slot.settings.growth_interval',
      'head.growth_tracker > slot.settings.growth_interval',
    ],
    [
      'head.loss_scale <= LARGEST_LOSS_SCALE / slot.settings.growth_factor',
      'head.loss_scale <= LARGEST_LOSS_SCALE',
    ],
    ['slot.settings.max_grad_norm / (norm + 1e-6)', 'slot.settings.max_grad_norm / norm'],
    [
      'head.consecutive_skips < slot.settings.max_consecutive_skips',
      'head.consecutive_skips <= slot.settings.max_consecutive_skips',
    ],
    ['select(head.consecutive_skips, 0u, is_finite)', '0u'],
    ['head.consecutive_skips = select(head.consecutive_skips, 0u, is_finite);', ''],
    ['head.step += 1u;', ''],
    ['flags |= partial.w;', 'flags = partial.w;'],
    ['loss_scale[0] = head.loss_scale;', ''],
  ]),
  ...slipsIn(
    'shaders/stages/control/advance.wgsl',
    ['gpu/control-stage', 'gpu/bias-correction', 'gpu/control-skip'],
    [
      ['carry += u32(below < hl.y);', ''],
      ['high += u32(low < hh.y);', ''],
      ['- u32(beta.y < missing.y)', ''],
      ['(damped.x << 31u) | (damped.y >> 1u)', 'damped.y >> 1u'],
      ['keep_fraction(record_word, product);', ''],
      ['rest > 0x80u ||', 'rest >= 0x80u ||'],
      ['rows[index] & ~SPEAKS;', 'rows[index];'],
      ['records[record] = t;', ''],
      ['slot.words[row_word + GRAD_MULTIPLIER] = slot.settings.multiplier;', ''],
      ['4u * (row * CORRECTION_COUNT + k)', '4u * k'],
      [
        'if (slot.words[row_word + IS_ACTIVE] == 0u) {\n    return;',
        'if (slot.words[row_word + IS_ACTIVE] == 7u) {\n    return;',
      ],
    ],
  ),
  ...slipsIn('shaders/stages/control/reduce.wgsl', control, [
    ['if (page[header.row].is_active != 0u) {', 'if (true) {'],
    ['      sums = Squares();\n', ''],
    ['workspace[header.first_partial + workgroup]', 'workspace[header.first_partial]'],
  ]),
  ...slipsIn(
    'shaders/squares.wgsl',
    ['gpu/loss-scale', 'gpu/control-stage', 'gpu/tensor-norms'],
    [
      ['sqrt(sums.x + scale_by_power(sums.y, -168))', 'sqrt(sums.x)'],
      ['(v.x + v.y) + (v.z + v.w)', '(v.x + v.y) + v.z'],
      ['magnitude_bits > infinite', 'magnitude_bits >= infinite'],
      [
        'return sums.flags.x | sums.flags.y | sums.flags.z | sums.flags.w;',
        'return sums.flags.x | sums.flags.y | sums.flags.z;',
      ],
      ['if (scaled < 255) {', 'if (scaled <= 255) {'],
    ],
  ),
  ...slipsIn('shaders/stages/sparse/sum-rows.wgsl', sums, [
    ['min(entry + ROW_BLOCK, settings.entry_count)', 'settings.entry_count'],
    ['begins_block && within == 0u', 'begins_block'],
    ['if (last >= settings.entry_count) {', 'if (last > settings.entry_count) {'],
    ['summed[k * ROW_LANES + base] = lane(0.0);', ''],
  ]),
  ...slipsIn('shaders/stages/sparse/list-rows.wgsl', sums, [
    ['row = min(row, indices[settings.indices_base + i]);', 'row = indices[settings.indices_base + i];'],
    ['counts[settings.count_base]', 'counts[0]'],
  ]),
  ...slipsIn('shaders/stages/sparse/find-starts.wgsl', sums, [
    ['first = known - step + 1u;', 'first = known - step + 2u;'],
    ['if (row >= settings.row_count) {', 'if (row > settings.row_count) {'],
  ]),
];
