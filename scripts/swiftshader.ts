import { delimiter } from 'node:path';
import { swiftShaderDriver } from './find-browser.js';

/**
 * The environment of a program that is to find no Vulkan adapter but these drivers' own.
 *
 * @param drivers paths of driver descriptions.
 */
export function onlyDrivers(drivers: readonly string[]): Record<string, string> {
  const list = drivers.join(delimiter);
  // A loader that sees one driver leaves WebGPU no choice. Loaders before 1.3.207 know the second name only.
  return { VK_DRIVER_FILES: list, VK_ICD_FILENAMES: list };
}

/**
 * The environment of a program that is to find no Vulkan adapter but the SwiftShader of an installed Chrome or Chromium, which is the same
 * everywhere to the bit.
 *
 * @throws Error if there is none
 */
export function onlySwiftShader(): Record<string, string> {
  const driver = swiftShaderDriver();
  if (driver === undefined) {
    throw new Error(
      'No SwiftShader: Node takes it from an installed Chrome or Chromium on Linux (vk_swiftshader_icd.json). ' +
        'Install one, or name its executable in CHROME_PATH.',
    );
  }
  return onlyDrivers([driver]);
}

/**
 * Leaves Vulkan programs that this process loads from now on no adapter but SwiftShader.
 *
 * @throws Error if there is none
 */
export function showOnlySwiftShader(): void {
  Object.assign(process.env, onlySwiftShader());
}
