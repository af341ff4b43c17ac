/** Slips of what users meet at a terminal, and of what is published. */
import { type Slip, slipsIn } from './slip.js';

export const terminalSlips: readonly Slip[] = [
  ...slipsIn(
    'scripts/terminal/leaving.ts',
    ['unit/command-line'],
    [
      ['[...tasks].toReversed()', '[...tasks]'],
      ['tasks.delete(task);', ''],
      ['> ONE_PRESS_MS', '> 0'],
      ['128 + constants.signals[signal]', 'constants.signals[signal]'],
    ],
  ),
  ...slipsIn(
    'scripts/terminal/command-line.ts',
    ['unit/command-line'],
    [
      ['.showSuggestionAfterError(false)', ''],
      ["if (error.code !== 'EPIPE') throw error;", 'throw error;'],
      ['if (isLeaving()) await new Promise(() => {});', ''],
      ["text.trim() !== '' && ", ''],
      ['isUsage ? USAGE_STATUS : 1', '1'],
    ],
  ),
  ...slipsIn('scripts/terminal/screen.ts', ['unit/command-line'], [['if (CI) return false;', '']]),
  ...slipsIn(
    'init/write-project.ts',
    ['unit/write-project'],
    [
      ["name !== '.git'", 'true'],
      ['if (!found.isDirectory())', 'if (false)'],
      ["name || 'training'", 'name'],
      ["'webgpu-optim': `^${version}`", "'webgpu-optim': 'latest'"],
      ["[['.gitignore', GITIGNORE]]", '[]'],
    ],
  ),
  ...slipsIn(
    'scripts/package/absolute-links.ts',
    ['unit/absolute-links'],
    [
      ['[a-z]+:|#', '[a-z]+:'],
      ["target.replace(/^\\.\\//u, '')", 'target'],
      ['PICTURE.test(path)', 'false'],
    ],
  ),
];
