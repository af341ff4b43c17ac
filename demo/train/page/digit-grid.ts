import { PIXEL_COUNT, SIDE_PIXELS } from '../../../lab/tasks/digit-format.js';
import type { DigitSet } from '../../../lab/tasks/digits.js';
import { SIDES } from './sides.js';

/** Some held-out digits and what each network takes them for. */
export class DigitGrid {
  private readonly captions: HTMLElement[][];

  constructor(
    list: HTMLElement,
    private readonly digits: DigitSet,
  ) {
    const items = Array.from({ length: digits.count }, (_, row) => this.createItem(row));
    this.captions = items.map((item) => [...item.querySelectorAll('span')]);
    list.replaceChildren(...items);
    this.clear();
  }

  /** Shows a prediction per side and digit: right ones green, wrong ones red. */
  show(predictions: readonly Int32Array[]): void {
    for (const [row, captions] of this.captions.entries()) {
      const truth = this.digits.labels[row] as number;
      for (const [side, caption] of captions.entries()) {
        const prediction = predictions[side]![row];
        const right = prediction === truth;
        caption.className = right ? 'right' : 'wrong';
        // A mark besides the colour, for who does not see the difference.
        caption.textContent = `${prediction} ${right ? '✓' : '✗'}`;
      }
    }
  }

  /** Back to digits without predictions. */
  clear(): void {
    for (const caption of this.captions.flat()) {
      caption.className = '';
      caption.textContent = '?';
    }
  }

  private createItem(row: number): HTMLLIElement {
    const canvas = document.createElement('canvas');
    canvas.width = SIDE_PIXELS;
    canvas.height = SIDE_PIXELS;
    canvas.role = 'img';
    canvas.ariaLabel = `a handwritten ${this.digits.labels[row]}`;
    const context = canvas.getContext('2d');
    const image = new ImageData(SIDE_PIXELS, SIDE_PIXELS);
    for (let i = 0; i < PIXEL_COUNT; i++) {
      const level = this.digits.pixels[row * PIXEL_COUNT + i] as number;
      image.data.set([level, level, level, 255], i * 4);
    }
    context?.putImageData(image, 0, 0);
    const item = document.createElement('li');
    const captions = document.createElement('div');
    captions.append(
      ...SIDES.map((side) => {
        const caption = document.createElement('span');
        caption.dataset['side'] = side;
        return caption;
      }),
    );
    item.append(canvas, captions);
    return item;
  }
}
