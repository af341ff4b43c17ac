import type { ElementRule, PreparedStep } from './element-step.js';

/** One element of a tensor before its update; its state may be changed, to no effect. */
export interface TensorElement<N> {
  readonly w: N;
  readonly g: N;
  readonly s: Record<string, N>;
}

const every = (): boolean => true;

/**
 * The CPU twin of shaders/stages/measure/*.wgsl: measures a tensor, and updates the state that it has as a whole.
 *
 * @param at the tensor's elements; called for each quantity and element.
 * @param s the tensor's `perTensor` slots, updated in place.
 * @param counts whether an element is measured: of rows that are left alone none is.
 * @returns what the update of each element needs; nothing for rules that look at elements alone.
 */
export function summarizeTensor<N>(
  rule: ElementRule<N>,
  length: number,
  at: (index: number) => TensorElement<N>,
  s: Record<string, N>,
  step: PreparedStep<N>,
  counts: (index: number) => boolean = every,
): Record<string, N> {
  if (!rule.tensor) return {};
  const { f, quantityCount, measure, summarize } = rule.tensor;
  const norms = Array.from({ length: quantityCount }, (_, k) =>
    f.norm(length, (i) => {
      if (!counts(i)) return f.scalar(0);
      const element = at(i);
      return measure(element.w, element.g, element.s, step)[k]!;
    }),
  );
  return { ...s, ...summarize(norms, s, step, length) };
}
