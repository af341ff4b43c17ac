import { type RowLayout, type SlotLayout, ratesInRow } from '../../kernel/row.js';
import { type RuleLayout, layoutOf } from '../../kernel/rule-layout.js';
import type { WordView } from '../../kernel/structs.js';
import { rateOffset, rateWords, writeSettings } from '../../stages/control/slot.js';
import type { GroupPart } from './group-part.js';
import type { Control } from '../../stages/control/control.js';
import type { RuleInForce } from '../parameter-group.js';
import type { ResolvedSettings } from '../input/config.js';
import type { Resources } from './resources.js';
import type { Rows } from './rows.js';

/** What the host decides of a step: per group, by its part, the hyper-parameters in force. */
export interface StepInputs {
  readonly ruleOf: ReadonlyMap<GroupPart, RuleInForce>;
  readonly gradScale: number;
}

/** What of a run the numbers of a step follow from. */
export interface SlotSource {
  readonly rows: Rows;
  readonly control: Control | undefined;
  readonly resources: Resources;
  readonly settings: ResolvedSettings;
}

const rates = new WeakMap<RuleLayout, { readonly row: RowLayout; readonly words: readonly number[] }>();

/** The words of a rule's rates, in the order of the rows' corrections; they are worked out once per rule. */
function ratesOf(layout: RuleLayout, row: RowLayout): readonly number[] {
  let known = rates.get(layout);
  if (known?.row !== row) {
    known = { row, words: rateWords(ratesInRow(layout, row)) };
    rates.set(layout, known);
  }
  return known.words;
}

/**
 * Fills the slot of a step.
 *
 * @param active per row, whether it takes part.
 */
export function writeSlot(
  view: WordView,
  wordOfRow: (row: number) => number,
  slot: SlotLayout,
  { rows, control, resources, settings }: SlotSource,
  active: Uint8Array,
  { ruleOf, gradScale }: StepInputs,
): void {
  const { row: layoutOfRow } = resources;
  const { gradients } = settings;
  const scaling = {
    multiplier: gradScale / gradients.lossScale,
    minValue: gradients.minGradValue,
    maxValue: gradients.maxGradValue,
  };
  if (control) writeSettings(view, 0, gradients, gradScale, slot);
  const { list } = rows;
  for (let k = 0; k < list.length; k++) {
    const row = list[k];
    const word = wordOfRow(k);
    if (!row || active[k] === 0) {
      layoutOfRow.struct.write(view, word, { is_active: 0 });
      continue;
    }
    const { rule, lr } = ruleOf.get(row.part)!;
    const layout = layoutOf(rule);
    const t = row.count + 1;
    layoutOfRow.struct.write(view, word, layout.values(lr, t, scaling));
    layoutOfRow.struct.write(view, word, { is_active: 1, t_count: t });
    if (control) view.u32.set(ratesOf(layout, layoutOfRow), rateOffset(layoutOfRow, slot, k) / 4);
  }
}
