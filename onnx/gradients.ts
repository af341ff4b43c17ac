import type { Graph } from './graph.js';
import { operatorOf } from './operators.js';

/** What {@link appendGradients} starts from and goes for. */
export interface GradientRequest {
  /** The value whose gradient is known. */
  readonly from: string;
  /** The name of that gradient. */
  readonly seed: string;
  /** Inputs or initializers of the graph, each with the name that its gradient shall have. */
  readonly to: ReadonlyMap<string, string>;
}

/**
 * Appends the backward pass to a graph: reverse-mode differentiation, node by node, each through its rule in operators.ts.
 * Only gradients on a path to what is asked for are computed, so those of the data are not.
 *
 * @throws Error if a value that is asked for has no influence on `from`.
 */
export function appendGradients(graph: Graph, { from, seed, to }: GradientRequest): void {
  const forward = [...graph.nodes];
  const needed = new Set(to.keys());
  for (const { input, output } of forward) {
    if (input!.some((name) => needed.has(name))) for (const name of output!) needed.add(name);
  }

  // A value that is used several times has one term for each use.
  const terms = new Map<string, string[]>([[from, [seed]]]);
  for (const node of forward.toReversed()) {
    const gradient = sum(graph, terms.get(node.output![0]!));
    if (gradient === undefined || !needed.has(node.output![0]!)) continue;
    const isNeeded = (k: number): boolean => needed.has(node.input![k]!);
    const { backward } = operatorOf(node);
    if (!backward) throw new Error(`Node "${node.name}" is a ${node.opType}, which has no gradient here.`);
    backward({ graph, node, gradient, isNeeded }).forEach((term, k) => {
      if (term === undefined || !isNeeded(k)) return;
      const input = node.input![k]!;
      terms.set(input, [...(terms.get(input) ?? []), term]);
    });
  }
  for (const [name, output] of to) {
    const gradient = sum(graph, terms.get(name));
    if (gradient === undefined) throw new Error(`"${name}" has no influence on "${from}"; leave it out.`);
    graph.add('Identity', [gradient], {}, output);
  }
}

function sum(graph: Graph, terms: readonly string[] = []): string | undefined {
  if (terms.length === 0) return undefined;
  return terms.reduce((left, right) => graph.add('Add', [left, right]));
}
