/** The model of calls that change state between steps: a dict of the reference, edited and loaded again. */
import type { ReferenceOptimizer, StateDict } from '../../src/index.js';

type Slots = Record<string, Float32Array<ArrayBuffer>>;

/** What may be edited. */
export interface Edit {
  /** Per parameter, its slots. */
  readonly state: Record<string, Slots>;
  /** Per parameter, the steps applied to it. */
  readonly counts: Map<string, number>;
  /** Per parameter, its weights. */
  readonly weights: (name: string) => Float32Array<ArrayBuffer>;
}

/** Edits the state of a float32 reference. A count beyond the reference's steps takes these along. */
export function editTwin(twin: ReferenceOptimizer, edit: (what: Edit) => void): void {
  const dict = twin.stateDict() as StateDict;
  const counts = new Map<string, number>();
  for (const { params, joinedAt = 0, steps } of dict.groups) {
    params.forEach((name, k) => counts.set(name, steps?.[k] ?? dict.step - joinedAt));
  }
  const weights = (name: string) => Float32Array.from(twin.readParam(name));
  edit({ state: dict.state, counts, weights });
  const groups = dict.groups.map((group) => {
    const { joinedAt: _joinedAt, ...rest } = group;
    return { ...rest, steps: group.params.map((name) => counts.get(name)!) };
  });
  twin.loadStateDict({ ...dict, step: Math.max(dict.step, ...counts.values()), groups });
}
