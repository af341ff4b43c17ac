/** The stream of random numbers of a tensor, low and high word: the 64-bit FNV-1a hash of its name in UTF-8. */
export function streamOf(name: string): [low: number, high: number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return [Number(hash & 0xffffffffn), Number(hash >> 32n)];
}
