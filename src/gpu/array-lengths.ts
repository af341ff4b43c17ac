/** A variable that holds an array of any length. */
const RUNTIME_ARRAY = /var<storage[^>]*>\s*(\w+)\s*:\s*array</g;

/**
 * The WGSL of a kernel whose entry point asks first of all how long its arrays are. Nothing follows from it: no array is
 * empty. But an implementation holds each index within its array, and where that is done in a loop, it looks the length up at
 * each access unless it is known from before. On SwiftShader that was a quarter of a step's time; see bench/README.md.
 *
 * @param code one without comments between an entry point's name and its body.
 */
export function askLengthsFirst(code: string, entryPoint: string): string {
  const names = Array.from(code.matchAll(RUNTIME_ARRAY), ([, name]) => `arrayLength(&${name!})`);
  if (names.length === 0) return code;
  const least = names.reduce((one, other) => `min(${one}, ${other})`);
  return code.replace(
    new RegExp(`fn ${entryPoint}\\([^]*?\\)\\s*\\{`),
    (head) => `${head}\n  if (${least} == 0u) {\n    return;\n  }`,
  );
}
