import { expect, test } from 'vitest';
import { absoluteLinks } from '../../scripts/package/absolute-links.js';

test('links into the repository become addresses, others stay as they are', () => {
  const text =
    '[a](docs/a.md#b) [c](#d) [e](https://f.g/h.md) ![i](demo/j.webp) <img src="./k.png"> [l](mailto:m@n.o)';
  expect(absoluteLinks(text, 'https://github.com/o/r', 'v1')).toBe(
    '[a](https://github.com/o/r/blob/v1/docs/a.md#b) [c](#d) [e](https://f.g/h.md) ' +
      '![i](https://raw.githubusercontent.com/o/r/v1/demo/j.webp) <img src="https://raw.githubusercontent.com/o/r/v1/k.png"> [l](mailto:m@n.o)',
  );
});
