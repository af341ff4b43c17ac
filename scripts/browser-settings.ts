/** What Chrome wants for WebGPU: always; with its software adapter, else on Linux. */
export const CHROME_FLAGS = {
  always: '--enable-unsafe-webgpu',
  software: '--use-webgpu-adapter=swiftshader',
  linux: '--enable-features=Vulkan',
} as const;

/** What Firefox wants for WebGPU, in about:config. */
export const FIREFOX_PREFERENCES = {
  'dom.webgpu.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
} as const;
