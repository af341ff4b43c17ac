/** Slips in counting weights that become infinite by rounding. */
import { slipsIn } from './slip.js';

const COUNTED = 'gpu/overflows#as many as';
const STAYS = 'gpu/overflows#each is counted';

export const overflowSlips = [
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    [COUNTED, STAYS],
    [
      ["masters ? ' & !overflows(before)' : ''", "''", STAYS],
      ['overflows(after) & is_own$', 'overflows(after)$'],
      ['INFINITY_BITS - least}u', 'INFINITY_BITS - least + 1}u'],
      ["access.isCounted ? '  add_overflows();\\n' : ''", "''"],
    ],
  ),
  ...slipsIn(
    'src/codecs/f16.ts',
    ['gpu/overflows#the bounds'],
    [['overflowsFrom: 65520', 'overflowsFrom: 65505']],
  ),
  ...slipsIn(
    'src/stages/update/overflows.ts',
    ['gpu/overflows#matrices'],
    [['elementSlots.length + OTHER_BINDINGS <=', 'elementSlots.length + OTHER_BINDINGS <']],
  ),
  ...slipsIn(
    'src/reference/tensor/parameter-state.ts',
    [COUNTED],
    [[' && !overflows(this.#codec, store(before))', '']],
  ),
];
