import { slipsIn } from './slip.js';

const averages = ['gpu/averages'];
const sparse = ['gpu/sparse', 'gpu/sparse-engine'];

export const shaderSlips = [
  ...slipsIn('shaders/averages/ema.wgsl', averages, [
    ['max(ema_weight, 9.0', 'min(ema_weight, 9.0'],
    ['(9.0 + (h.t - h.ema_start))', '(9.0 + h.t)'],
    ['if (h.t > h.ema_start + 1.0) {', 'if (h.t >= h.ema_start + 1.0) {'],
    ['ema = lerp(before, after, ema_weight);', 'ema = after;'],
    ['EMA_FROM_PARAMS && h.t == h.ema_start + 1.0', 'EMA_FROM_PARAMS'],
  ]),
  ...slipsIn('shaders/averages/lookahead.wgsl', averages, [
    ['u32(h.t) % u32(h.lookahead_every) == 0u', 'u32(h.t) % u32(h.lookahead_every) == 1u'],
    ['if (h.t == 1.0) {', 'if (h.t == 2.0) {'],
    ['slow = before;', 'slow = after;'],
    ['return slow;', 'return after;'],
  ]),
  ...slipsIn('shaders/averages/swa.wgsl', averages, [
    ['max(h.t - h.swa_start, 0.0)', 'h.t'],
    ['(f32(steps / period) + 1.0)', '(f32(steps / period) + 2.0)'],
    ['steps % period == 0u', 'steps % period != 0u'],
    ['if (h.t <= h.swa_start) {', 'if (h.t < h.swa_start) {'],
  ]),
  ...slipsIn('shaders/sparse/radix-sort.wgsl', sparse, [
    ['histogram[k] = before;', 'histogram[k] = here;'],
    ['let share = (length + SCAN_SIZE - 1u) / SCAN_SIZE;', 'let share = length / SCAN_SIZE;'],
    ['for (var k = 0u; k < local_index; k++) {', 'for (var k = 0u; k <= local_index; k++) {'],
    ['place += here;', 'place += 1u;'],
    [
      'histogram[digit * settings.block_count + block] = total;',
      'histogram[block * DIGIT_COUNT + digit] = total;',
    ],
    ['destination[counters[k]] = pair;\n    counters[k] += 1u;', 'destination[counters[k]] = pair;'],
  ]),
  ...slipsIn('shaders/initialize.wgsl', ['gpu/initial-weights'], [['z = -z;', 'z = z;']]),
];
