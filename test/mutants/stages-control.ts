/** Slips in what the control stage keeps from step to step, and in its WGSL. */
import { slipsIn } from './slip.js';

export const controlSlips = [
  ...slipsIn(
    'src/stages/control/fixed-point.ts',
    ['unit/fixed-point'],
    [
      ['(a * b + (ONE >> 1n)) >> 64n', '(a * b) >> 64n'],
      ['BigInt(Math.round(beta * 2 ** 64))', 'BigInt(Math.round(beta * 2 ** 53)) << 11n'],
      ['Number(fraction & 0xffff_ffffn)', '0'],
      ['if (rest % 2 === 1) result', 'if (rest % 2 === 0) result'],
      [
        'i < t && product > NOTHING && damped > NOTHING',
        'i < t - 1 && product > NOTHING && damped > NOTHING',
      ],
      ['multiply(product, power(b, t - i))', 'product'],
      [
        '...betaWords(beta), ...betaWords(damping)]',
        '...betaWords(damping), ...betaWords(beta)]',
        'gpu/bias-correction',
      ],
      ['damping === 0 ? powerWords(beta, t)', 'damping >= 0 ? powerWords(beta, t)'],
      ['return [...product, ...powerWords(damping, t),', 'return [...powerWords(damping, t), ...product,'],
      ['b - multiply(b, damped >> 1n)', 'b - multiply(b, damped)'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/head.ts',
    ['unit/control-memory'],
    [
      ["view.f32[HEAD.wordOf('clip_factor')] = 1;", ''],
      ['consecutive_skips: head.consecutiveSkips,', ''],
      ["growthTracker: count('growth_tracker')", "growthTracker: count('consecutive_skips')"],
      ["skipped: count('skipped')", "skipped: count('was_skipped')"],
    ],
  ),
  ...slipsIn(
    'src/stages/control/slot.ts',
    ['unit/control-memory'],
    [
      ['(slot.rates - SETTINGS_BYTE_LENGTH) / 4', 'slot.rates / 4'],
      ['dynamic?.growthInterval ?? 0', '(dynamic?.growthInterval ?? 0) + 1'],
      ['Math.min(maxConsecutiveSkips, NEVER)', 'NEVER'],
      ['growth_factor: dynamic?.growthFactor ?? 1', 'growth_factor: 2'],
      ['backoff_factor: dynamic?.backoffFactor ?? 1', 'backoff_factor: 0.5'],
      ['[...betaWords(beta), ...betaWords(damping)]', '[...betaWords(damping), ...betaWords(beta)]'],
      ['RATE_BYTE_LENGTH * corrections.length * row;', 'RATE_BYTE_LENGTH * row;'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/step-records.ts',
    ['unit/control-memory'],
    [
      ['last.first + last.capacity : 0;', 'last.capacity : 0;'],
      ['chunk) => index < chunk.first + chunk.capacity', 'chunk) => index <= chunk.first + chunk.capacity'],
      ['this.#byteLength * (index - first)', 'this.#byteLength * index'],
      ['index >= chunk.first && index < chunk.first', 'index < chunk.first'],
      ['this.#byteLength * (own[from]! - chunk.first)', 'this.#byteLength * from'],
      ['while (to < own.length && own[to] === own[to - 1]! + 1) to++;', 'to = own.length;'],
      ['JSON.stringify([count, rates', 'JSON.stringify([rates'],
      ['for (const { buffer } of this.#chunks) buffer.destroy();', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/control/reduction-bindings.ts',
    [
      'unit/reduction#move together',
      'gpu/control-stage#rebind',
      'gpu/rebind#is refused',
      'gpu/rebind-moments#another offset',
    ],
    [
      ['binding.offset + shift, size', 'binding.offset, size'],
      [
        'next.byteOffset - elementByteLengthOf(piece) * start - piece.byteOffset',
        'next.byteOffset - piece.byteOffset',
      ],
      ['if (own.shift % this.#alignment !== 0) throw otherReduction();', ''],
      ['if (offset + size > buffer.size) throw otherReduction();', ''],
      ['(place.buffer !== own.buffer || place.shift !== own.shift)', 'place.buffer !== own.buffer'],
      ['for (const [run, place] of moved) this.#places[run] = place;', ''],
      ['before.buffer !== after.buffer || before.shift !== after.shift', 'before.buffer !== after.buffer'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/reduction-facts.ts',
    ['unit/reduction'],
    [['if (isShort) return short;', '']],
  ),
  ...slipsIn(
    'shaders/stages/control/decide.wgsl',
    ['gpu/control-stage#no more steps', 'gpu/loss-scale#non-finite steps'],
    [
      [
        'let least = min(head.loss_scale, LEAST_LOSS_SCALE);',
        'let least = LEAST_LOSS_SCALE;',
        'gpu/loss-scale#a floor stops',
      ],
      [
        'head.growth_tracker = 0u;\n    return;',
        'return;',
        'gpu/control-stage#loss scale',
        'gpu/control#follows torch',
      ],
      [
        'head.growth_tracker >= slot.settings.growth_interval',
        'head.growth_tracker > slot.settings.growth_interval',
        'gpu/control-stage#loss scale',
        'gpu/control#follows torch',
      ],
      [
        'head.loss_scale <= LARGEST_LOSS_SCALE / slot.settings.growth_factor',
        'head.loss_scale <= LARGEST_LOSS_SCALE',
        'gpu/control-stage#loss scale',
      ],
      [
        'slot.settings.max_grad_norm / (norm + 1e-6)',
        'slot.settings.max_grad_norm / norm',
        'gpu/control-norm#clips as',
      ],
      [
        'head.consecutive_skips < slot.settings.max_consecutive_skips',
        'head.consecutive_skips <= slot.settings.max_consecutive_skips',
      ],
      ['select(head.consecutive_skips, 0u, is_finite)', '0u'],
      ['head.consecutive_skips = select(head.consecutive_skips, 0u, is_finite);', ''],
      ['head.step += 1u;', '', 'gpu/control-stage', 'gpu/loss-scale'],
      [
        'partial = add_partials(partial, workspace[reduction.first_partial + i]);',
        'partial = workspace[reduction.first_partial + i];',
        'gpu/control-stage',
        'gpu/large-shapes#a NaN in the last',
      ],
      ['loss_scale[0] = head.loss_scale;', '', 'gpu/control#follows torch'],
      [
        'head.grad_norm = select(0x7f800000u, 0x7fc00000u,',
        'head.grad_norm = select(0x7fc00000u, 0x7f800000u,',
        'gpu/loss-scale#NaN and',
        'gpu/control-stage#no more steps',
      ],
      [
        'i += WORKGROUP_SIZE) {',
        'i += WORKGROUP_SIZE + 1u) {',
        'gpu/large-shapes#a NaN in the last',
        'gpu/control-norm',
      ],
    ],
  ),
  ...slipsIn(
    'shaders/stages/control/advance.wgsl',
    ['gpu/bias-correction', 'gpu/control-stage#each row', 'gpu/control-stage#a rate that rises'],
    [
      ['carry += u32(below < hl.y);', ''],
      ['high += u32(low < hh.y);', ''],
      ['- u32(beta.y < missing.y)', ''],
      ['(damped.x << 31u) | (damped.y >> 1u)', 'damped.y >> 1u'],
      ['keep_fraction(record_word, product);', ''],
      ['rest > 0x80u ||', 'rest >= 0x80u ||'],
      ['rows[index] & ~SPEAKS;', 'rows[index];'],
      ['records[record] = t;', ''],
      [
        'slot.words[row_word + GRAD_MULTIPLIER] = slot.settings.multiplier;',
        '',
        'gpu/control#follows torch',
        'gpu/control-norm#clips as',
      ],
      ['4u * (row * CORRECTION_COUNT + k)', '4u * k'],
      [
        'if (slot.words[row_word + IS_ACTIVE] == 0u) {\n    return;',
        'if (slot.words[row_word + IS_ACTIVE] == 7u) {\n    return;',
        'gpu/leaving-out-norm#a dynamic loss',
        'gpu/leaving-out#counts the steps',
      ],
    ],
  ),
  ...slipsIn(
    'shaders/stages/control/reduce.wgsl',
    ['gpu/control-stage', 'gpu/loss-scale'],
    [
      ['if (page[header.row].is_active != 0u) {', 'if (true) {'],
      ['kind_of(sums) == MEDIUM', 'true'],
      ['workspace[header.first_partial + workgroup]', 'workspace[header.first_partial]'],
    ],
  ),
  ...slipsIn(
    'shaders/lanes.wgsl',
    ['gpu/large-shapes#the step reaches'],
    [
      ['return workgroup_id.y * workgroup_count.x + workgroup_id.x;', 'return workgroup_id.x;'],
      ['stride = 1u;', 'stride = 2u;', 'gpu/batches#every length'],
      [
        '* stride, lane_count), stride)',
        '* stride, lane_count + 1u), stride)',
        'gpu/batches#every length',
        'gpu/kernel-shape',
      ],
    ],
  ),
  ...slipsIn(
    'shaders/squares.wgsl',
    ['gpu/loss-scale', 'gpu/control-stage', 'gpu/tensor-norms'],
    [
      [
        'sqrt(sums.x + scale_by_power(sums.y, -168))',
        'sqrt(sums.x)',
        'gpu/loss-scale#a norm of one',
        'gpu/control-stage#one huge',
      ],
      ['(v.x + v.y) + (v.z + v.w)', '(v.x + v.y) + v.z'],
      ['vec4<u32>(magnitude > infinite)', 'vec4<u32>(magnitude >= infinite)'],
      ['bits < LEAST', 'false'],
      ['bits > MOST || any_bits', 'any_bits'],
      ['0x1p-84, kind == LARGE', '0x1p-83, kind == LARGE'],
      ['return (v.x | v.y) | (v.z | v.w);', 'return (v.x | v.y) | v.z;'],
      ['if (scaled < 255) {', 'if (scaled <= 255) {', 'gpu/control-norm#of all magnitudes'],
    ],
  ),
];
