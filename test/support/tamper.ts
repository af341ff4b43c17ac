/**
 * Gives an object other properties than it has.
 *
 * @param changes values by property; undefined deletes a property that is the object's own, and hides an inherited one.
 * @returns what undoes it.
 */
export function tamper(target: object, changes: Readonly<Record<string, unknown>>): () => void {
  const undoes = Object.entries(changes).map(([key, value]) => {
    const own = Object.getOwnPropertyDescriptor(target, key);
    if (own && value === undefined) Reflect.deleteProperty(target, key);
    else Object.defineProperty(target, key, { value, configurable: true, writable: true });
    return () => {
      if (own) Object.defineProperty(target, key, own);
      else Reflect.deleteProperty(target, key);
    };
  });
  return () => {
    for (const undo of undoes) undo();
  };
}
