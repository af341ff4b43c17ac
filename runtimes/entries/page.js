/** The program in a page: `checked` is the record to come. */
import { checkRuntime } from './program.js';
import promised from './promised.json' with { type: 'json' };

async function check() {
  const directory = await navigator.storage.getDirectory();
  const name = 'run.safetensors';
  return await checkRuntime({
    example: () => import('./example.js'),
    promised,
    storage: {
      sink: { directory, name },
      async open() {
        const handle = await directory.getFileHandle(name);
        return { source: await handle.getFile(), close: () => directory.removeEntry(name) };
      },
    },
  });
}

globalThis.checked = check();
