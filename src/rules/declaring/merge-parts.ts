import type { Arithmetic } from './arithmetic.js';
import type { ElementStep, RuleDeclaration, SlotDeclaration } from './declaration.js';
import type { OptionSpec } from '../options/options.js';
import type { Part } from './part.js';
import type { TensorDeclaration, TensorStage } from './tensor.js';

/** A rule or part whose names are not known: what {@link mergeParts} works on. */
export interface LooseSource {
  readonly name: string;
  readonly wgsl: string;
  readonly parts?: readonly Part[];
  readonly options?: Readonly<Record<string, OptionSpec<unknown>>>;
  readonly complaint?: RuleDeclaration['complaint'];
  readonly slots?: readonly SlotDeclaration[];
  readonly evaluation?: RuleDeclaration['evaluation'];
  readonly decaysWeight?: RuleDeclaration['decaysWeight'];
  readonly switches?: RuleDeclaration['switches'];
  readonly scalars?: RuleDeclaration['scalars'];
  readonly prepare?: RuleDeclaration['prepare'];
  readonly parameterComplaint?: RuleDeclaration['parameterComplaint'];
  readonly tensor?: TensorDeclaration;
  readonly matrix?: RuleDeclaration['matrix'];
  readonly reference: <N>(f: Arithmetic<N>, element: ElementStep<N>) => N;
}

/** A source and all its parts, each once: whoever lists a part comes before it. */
export function flatten(source: LooseSource): LooseSource[] {
  const found = new Set<LooseSource>();
  const visit = (part: LooseSource) => {
    // Met again: it moves behind the second one that lists it.
    found.delete(part);
    found.add(part);
    for (const inner of part.parts ?? []) visit(inner as unknown as LooseSource);
  };
  visit(source);
  return [...found];
}

/** Whether WGSL declares a function. */
export const declaresFunction = (wgsl: string, name: string): boolean =>
  new RegExp(`\\bfn\\s+${name}\\s*\\(`).test(wgsl);

/**
 * What a rule and its parts declare, as one.
 *
 * @param sources what {@link flatten} returns.
 * @param stage what measures tensors, if none of them brings it.
 */
export function mergeParts(sources: readonly LooseSource[], stage?: TensorStage): RuleDeclaration {
  const source = sources[0]!;
  const innerFirst = sources.toReversed();
  const tensor = sources.find((part) => part.tensor)?.tensor;
  const wgsl = sources.map((part) => part.wgsl).join('\n');
  const merge = <T>(of: (part: LooseSource) => Record<string, T> | undefined): Record<string, T> =>
    Object.assign({}, ...sources.map(of)) as Record<string, T>;
  return {
    name: source.name,
    wgsl: declaresFunction(wgsl, 'prepare') ? wgsl : `${wgsl}\nfn prepare() {}\n`,
    options: merge<OptionSpec<unknown>>(({ options }) => options) as RuleDeclaration['options'],
    complaint: (o) => {
      for (const { complaint } of sources) {
        const complained = complaint?.(o);
        if (complained !== undefined) return complained;
      }
      return undefined;
    },
    slots: sources.flatMap(({ slots = [] }) => slots),
    evaluation: sources.find(({ evaluation }) => evaluation)?.evaluation,
    decaysWeight: (o) => sources.some(({ decaysWeight }) => decaysWeight?.(o) === true),
    switches: (o) => merge(({ switches }) => switches?.(o)),
    scalars: (o, lr) => merge(({ scalars }) => scalars?.(o, lr)),
    prepare: (f, h, on, t) => {
      const prepared = { ...h };
      for (const { prepare } of innerFirst) Object.assign(prepared, prepare?.(f, prepared, on, t));
      return prepared;
    },
    reference: source.reference,
    tensor: tensor && { stage, ...tensor },
    parameterComplaint: source.parameterComplaint,
    matrix: source.matrix,
  };
}
