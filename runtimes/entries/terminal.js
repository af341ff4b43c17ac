/** The program in Node, Deno and Bun, in the folder that it is started in: the record as JSON, the last line of stdout. */
import { open } from 'node:fs/promises';
import { checkRuntime } from './program.js';
import promised from './promised.json' with { type: 'json' };

const path = 'run.safetensors';
const record = await checkRuntime({
  example: () => import('./example.js'),
  promised,
  storage: {
    sink: { path },
    async open() {
      const source = await open(path);
      return { source, close: () => source.close() };
    },
  },
});
console.log(JSON.stringify(record));
