import type { Photo } from '../../shared/photo.js';
import type { ViewFrame } from './view-frame.js';

/** The error map is white from this part of the range on. */
const WHITE_ERROR = 0.25;

/**
 * Draws picture and photograph on a canvas. By the 2D context, from a copy of the picture: a canvas of WebGPU does not
 * reach the screen, or ends the GPU process, where Chrome composes without a GPU and computes on a software adapter
 * (seen with Chromium 156; luma.gl's issue 2874 has the same).
 */
export class PictureView {
  private readonly context: CanvasRenderingContext2D;
  private readonly photo: OffscreenCanvas;
  private readonly picture: OffscreenCanvas;
  private readonly errors: OffscreenCanvas;
  private pixels: Uint8ClampedArray<ArrayBuffer>;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly truth: Photo,
  ) {
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('This browser offers no 2D canvas to draw on.');
    this.context = context;
    const layer = (): OffscreenCanvas => new OffscreenCanvas(truth.width, truth.height);
    [this.photo, this.picture, this.errors] = [layer(), layer(), layer()];
    this.pixels = new Uint8ClampedArray(4 * truth.pixels.length);
    put(this.photo, new Uint8ClampedArray(truth.pixels.buffer));
  }

  /** Takes what the network sees now, RGBA, 8 bits each. */
  update(pixels: ArrayBuffer): void {
    this.pixels = new Uint8ClampedArray(pixels);
    put(this.picture, this.pixels);
  }

  /** Draws what it took last. */
  draw({ originX, originY, scaleX, scaleY, divider, showsErrors }: ViewFrame): void {
    if (showsErrors) put(this.errors, errorMap(this.pixels, new Uint8ClampedArray(this.truth.pixels.buffer)));
    const { context, canvas } = this;
    const layer = (source: OffscreenCanvas, left: number, right: number): void => {
      if (right <= left) return;
      const [x, width] = [originX + left * scaleX, (right - left) * scaleX];
      const [height, bottom] = [canvas.height * scaleY, canvas.height];
      context.drawImage(source, x, originY, width, height, left, 0, right - left, bottom);
    };
    context.fillStyle = '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
    // Enlarged, one wants to see the pixels.
    context.imageSmoothingEnabled = scaleX > 1;
    context.imageSmoothingQuality = 'high';
    layer(showsErrors ? this.errors : this.picture, 0, divider);
    layer(this.photo, divider, canvas.width);
    if (divider <= 0 || divider >= canvas.width) return;
    context.fillStyle = '#fff';
    context.fillRect(divider - 1, 0, 2, canvas.height);
  }
}

function put(layer: OffscreenCanvas, pixels: Uint8ClampedArray<ArrayBuffer>): void {
  layer.getContext('2d')?.putImageData(new ImageData(pixels, layer.width), 0, 0);
}

/** Per pixel the root of its channels' mean squared error: black over red and yellow to white. */
function errorMap(seen: Uint8ClampedArray, truth: Uint8ClampedArray): Uint8ClampedArray<ArrayBuffer> {
  const map = new Uint8ClampedArray(seen.length);
  for (let i = 0; i < seen.length; i += 4) {
    const red = seen[i]! - truth[i]!;
    const green = seen[i + 1]! - truth[i + 1]!;
    const blue = seen[i + 2]! - truth[i + 2]!;
    const heat = Math.sqrt((red * red + green * green + blue * blue) / 3) / WHITE_ERROR;
    map[i] = 3 * heat;
    map[i + 1] = 3 * heat - 255;
    map[i + 2] = 3 * heat - 510;
    map[i + 3] = 255;
  }
  return map;
}
