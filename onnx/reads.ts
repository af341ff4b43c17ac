import type { onnx } from 'onnx-proto';

/** Names of all that a node reads: its inputs, and what the graphs inside it, the branches of an If say, take from outside. */
export function readsOf({ input, attribute }: onnx.INodeProto): string[] {
  const inner = (attribute ?? []).flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])]);
  const taken = inner.flatMap(({ node, output }) => [
    ...(node ?? []).flatMap(readsOf),
    ...(output ?? []).map(({ name }) => name!),
  ]);
  // An input that is left out has no name.
  return [...(input ?? []), ...taken].filter(Boolean);
}
