/** In place of what the pages of jax-js import beside it: no page is drawn. */
export { nothing as onMount };

const nothing = (): void => {};

/** `p-throttle`. */
export default () => (): (() => void) => nothing;

export const cachedFetch = async (url: string): Promise<ArrayBuffer> => (await fetch(url)).arrayBuffer();

export const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

export function shuffle<T>(items: readonly T[]): T[] {
  const drawn = items.map((item) => [Math.random(), item] as const);
  return drawn.toSorted(([a], [b]) => a - b).map(([, item]) => item);
}

/** Runes: state is what it is, and nothing follows from it. */
export const runes = {
  $state: Object.assign(<T>(value: T): T => value, { raw: <T>(value: T): T => value }),
  $effect: nothing,
};
