import type { PipelineSource } from '../gpu/pipelines.js';

/**
 * What makes the source of each kind of kernels once: thousands of dispatches go by a few kinds.
 *
 * @param sourceOf makes it of a kind, which is plain data but for codecs; these have names of their own.
 */
export function oncePerKind<K>(sourceOf: (kind: K) => PipelineSource): (kind: K) => PipelineSource {
  const sources = new Map<string, PipelineSource>();
  return (kind) => {
    const key = JSON.stringify(kind, withNames);
    let source = sources.get(key);
    if (!source) sources.set(key, (source = sourceOf(kind)));
    return source;
  };
}

const withNames = (_: string, value: unknown): unknown =>
  value instanceof Object && 'name' in value ? value.name : value;
