import { slipsIn } from './slip.js';

const averages = ['gpu/averages'];
const sparse = ['gpu/sparse', 'gpu/sparse-engine'];
const PARTS = 'gpu/row-sums#so many that the scan has parts';

export const shaderSlips = [
  ...slipsIn('shaders/averages/ema.wgsl', averages, [
    ['max(ema_weight, 9.0', 'min(ema_weight, 9.0'],
    ['f32(10u + (h.t_count - ema_first))', 'f32(10u + h.t_count)'],
    ['if (h.t_count > ema_first) {', 'if (h.t_count >= ema_first) {'],
    ['ema = lerp(before, after, ema_weight);', 'ema = after;'],
    ['EMA_FROM_PARAMS && h.t_count == ema_first', 'EMA_FROM_PARAMS'],
  ]),
  ...slipsIn('shaders/averages/lookahead.wgsl', averages, [
    ['h.t_count % u32(h.lookahead_every) == 0u', 'h.t_count % u32(h.lookahead_every) == 1u'],
    ['if (h.t_count == 1u) {', 'if (h.t_count == 2u) {'],
    ['slow = before;', 'slow = after;'],
    ['return slow;', 'return after;'],
  ]),
  ...slipsIn('shaders/averages/swa.wgsl', averages, [
    ['let steps = h.t_count - start;', 'let steps = h.t_count;'],
    ['f32(steps / period + 1u)', 'f32(steps / period + 2u)'],
    ['steps % period == 0u', 'steps % period != 0u'],
    ['has_swa_begun = h.t_count > start;', 'has_swa_begun = h.t_count >= start;'],
  ]),
  ...slipsIn('shaders/stages/sparse/radix-sort.wgsl', sparse, [
    ['histogram[k] = before;', 'histogram[k] = here;'],
    ['if (part * PER_BLOCK >= length) {', 'if (part > 0u) {', PARTS],
    ['part * PER_BLOCK + local_index', 'local_index', PARTS],
    ['let part = counter / PER_BLOCK;', 'let part = 0u;', PARTS],
    ['for (var k = 0u; k < part; k++) {', 'for (var k = 0u; k <= part; k++) {', PARTS],
    ['before += histogram[k];', 'before = histogram[k];', PARTS],
    ['histogram[part] = before;', 'histogram[part] = own;', PARTS],
    ['var before = histogram[settings.part_count + counter];', 'var before = histogram[counter];'],
    ['for (var k = 0u; k < local_index; k++) {', 'for (var k = 0u; k <= local_index; k++) {'],
    ['place += here;', 'place += 1u;'],
    ['named_entries() + PER_BLOCK - 1u', 'named_entries()', 'gpu/sparse#a count on the GPU'],
    ['min(settings.row_count, indices[settings.indices_base + i])', 'indices[settings.indices_base + i]'],
    ['place = sum_before(local_index, place);', ''],
    ['DIGIT_COUNT * used_blocks()', 'DIGIT_COUNT * (used_blocks() - 1u)'],
    [
      'histogram[settings.part_count + digit * block_count + block] = total;',
      'histogram[settings.part_count + block * DIGIT_COUNT + digit] = total;',
    ],
    ['destination[counters[k]] = pair;\n    counters[k] += 1u;', 'destination[counters[k]] = pair;'],
  ]),
  ...slipsIn(
    'shaders/incoming.wgsl',
    ['gpu/control#GradValue'],
    [
      ['select(raised, lane(high), raised > lane(high))', 'min(raised, lane(high))'],
      ['select(x, lane(low), x < lane(low))', 'x'],
      ['h.min_grad_value, h.max', '-h.max_grad_value, h.max'],
    ],
  ),
  ...slipsIn('shaders/initialize.wgsl', ['gpu/initial-weights'], [['z = -z;', 'z = z;']]),
];
