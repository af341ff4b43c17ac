import type { Photo } from '../../shared/photo.js';

/**
 * Shows pictures on a canvas. By the 2D context, from a copy: a canvas of WebGPU does not reach the screen, or ends the GPU
 * process, where Chrome composes without a GPU and computes on a software adapter.
 */
export class Picture {
  private readonly context: CanvasRenderingContext2D;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly photo: Photo,
  ) {
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('This browser offers no 2D canvas to draw on.');
    this.context = context;
    canvas.width = photo.width;
    canvas.height = photo.height;
  }

  /** Shows a picture of the photograph's size: RGBA, 8 bits each. */
  show(pixels: ArrayBuffer): void {
    this.context.putImageData(new ImageData(new Uint8ClampedArray(pixels), this.photo.width), 0, 0);
  }
}
