import type { RuleLayout } from './rule-layout.js';

/** A rule of matrices where it makes directions of gradients: averages are taken, and weights decay, the second time. */
export function directing(layout: RuleLayout): RuleLayout {
  const ofAverages = new Set(layout.averages.map(({ declaration }) => declaration.slot));
  const laneSlots = layout.laneSlots.filter((slot) => !ofAverages.has(slot));
  return {
    ...layout,
    averages: [],
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
