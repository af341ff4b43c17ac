/** What is of interest of an adapter. */
export type AdapterFacts = Partial<
  Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'>
>;

const factsOfDevice = new WeakMap<object, AdapterFacts>();

/**
 * What a device says of its adapter. It is asked once, and its words are copied: Deno 2.9.6 ends the process where somebody
 * asks a device whose adapter was collected.
 */
export function adapterInfoOf(device: Pick<GPUDevice, 'adapterInfo'>): AdapterFacts {
  let facts = factsOfDevice.get(device);
  if (!facts) {
    const { vendor, architecture, device: name, description, isFallbackAdapter } = device.adapterInfo ?? {};
    facts = { vendor, architecture, device: name, description, isFallbackAdapter };
    factsOfDevice.set(device, facts);
  }
  return facts;
}
