import type { RuleLayout } from './rule-layout.js';

/** A rule of matrices where it makes directions of gradients: averages are taken, and weights decay, the second time. */
export function directing(layout: RuleLayout): RuleLayout {
  const ofAverages = layout.averages.map(({ declaration }) => declaration.slot);
  const later = new Set([...ofAverages, ...(layout.rule.declaration.matrix?.appliedSlots ?? [])]);
  const laneSlots = layout.laneSlots.filter((slot) => !later.has(slot));
  return {
    ...layout,
    averages: [],
    // What is measured of tensors is measured of what directions become.
    tensor: undefined,
    // Directions are no weights.
    masters: undefined,
    laneSlots,
    elementSlots: laneSlots,
    switches: { ...layout.equationSwitches, DIRECTING: true, DECAY_WEIGHT: false },
  };
}

/** A rule of matrices where it steps weights along what directions have become; these have their sign. */
export function applying(layout: RuleLayout): RuleLayout {
  const own = new Set(directing(layout).elementSlots);
  return {
    ...layout,
    laneSlots: layout.laneSlots.filter((slot) => !own.has(slot)),
    elementSlots: layout.elementSlots.filter((slot) => !own.has(slot)),
    switches: { ...layout.switches, MAXIMIZE: false },
  };
}
