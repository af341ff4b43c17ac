/** High and low word of the product of two words. */
function multiplyWords(a: number, b: number): [high: number, low: number] {
  const middle = a * (b >>> 16) + Math.floor((a * (b & 0xffff)) / 0x1_0000);
  return [Math.floor(middle / 0x1_0000), Math.imul(a, b) >>> 0];
}

type Words = readonly [number, number, number, number];

/** The twin of `shaders/philox.wgsl`: four random words that follow from a counter and a key alone. */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [x0, x1, x2, x3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [highA, lowA] = multiplyWords(0xd251_1f53, x0);
    const [highB, lowB] = multiplyWords(0xcd9e_8d57, x2);
    [x0, x1, x2, x3] = [(highB ^ x1 ^ k0) >>> 0, lowB, (highA ^ x3 ^ k1) >>> 0, lowA];
    [k0, k1] = [(k0 + 0x9e37_79b9) >>> 0, (k1 + 0xbb67_ae85) >>> 0];
  }
  return [x0, x1, x2, x3];
}
