import { element, setText } from '../../site/elements.js';
import { heightAt } from '../../shared/photo.js';
import { type Look, type ViewFrame, frameOf, wholePicture, withinLimits } from './view-frame.js';

const ZOOM_STEP = 1.5;
/** A part of what is seen. */
const PAN_STEP = 0.1;
/** More pixels than this a canvas needs on no screen. */
const MAX_CANVAS_WIDTH = 2048;

/** How the visitor looks at the picture: divider, zoom, error map; by mouse, finger or keyboard. */
export class ViewControls {
  private look: Look = wholePicture;
  private readonly canvas = element('picture', HTMLCanvasElement);
  private readonly split = element('split', HTMLInputElement);
  private readonly errors = element('errors', HTMLInputElement);

  /** @param changed is called whenever the picture is to be drawn anew. */
  constructor(private readonly changed: () => void) {
    this.split.addEventListener('input', () => {
      this.describeSplit();
      changed();
    });
    this.errors.addEventListener('change', () => {
      setText('left-name', this.errors.checked ? 'Error, white from a quarter of the range' : 'Network');
      changed();
    });
    const zoomBy = (id: string, factor: number): void =>
      element(id, HTMLButtonElement).addEventListener('click', () => this.zoom(factor));
    zoomBy('zoom-in', ZOOM_STEP);
    zoomBy('zoom-out', 1 / ZOOM_STEP);
    zoomBy('zoom-fit', 0);
    this.canvas.addEventListener('keydown', (event) => this.handleKey(event));
    this.canvas.addEventListener('pointermove', (event) => this.drag(event));
    this.canvas.addEventListener('pointerdown', ({ pointerId }) => this.canvas.setPointerCapture(pointerId));
    // Also what pinching a touch pad sends; a plain wheel scrolls the page.
    this.canvas.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 100));
      },
      { passive: false },
    );
    new ResizeObserver(() => {
      this.fitCanvas();
      changed();
    }).observe(this.canvas);
    this.describeSplit();
    this.show();
  }

  /** What to draw of a picture. */
  frame(picture: { readonly width: number; readonly height: number }): ViewFrame {
    const looks = { split: this.split.valueAsNumber / 100, showsErrors: this.errors.checked };
    return frameOf(this.look, picture, this.canvas, looks);
  }

  /** As many pixels as the screen has for it. */
  private fitCanvas(): void {
    const width = Math.min(MAX_CANVAS_WIDTH, Math.round(this.canvas.clientWidth * devicePixelRatio));
    if (width === 0) return;
    // Also when nothing changes, setting a size clears the canvas.
    if (this.canvas.width === width) return;
    this.canvas.width = width;
    this.canvas.height = heightAt(width);
  }

  private zoom(factor: number): void {
    this.lookAt(factor === 0 ? wholePicture : { ...this.look, zoom: this.look.zoom * factor });
  }

  private pan(x: number, y: number): void {
    this.lookAt({ ...this.look, x: this.look.x + x / this.look.zoom, y: this.look.y + y / this.look.zoom });
  }

  private lookAt(look: Look): void {
    this.look = withinLimits(look);
    this.show();
    this.changed();
  }

  private show(): void {
    const { zoom } = this.look;
    setText('zoom', `${zoom < 10 ? zoom.toFixed(1) : zoom.toFixed(0)} ×`);
    element('zoom-out', HTMLButtonElement).disabled = zoom === 1;
    element('zoom-fit', HTMLButtonElement).disabled = zoom === 1;
    // Zoomed in, a finger moves the picture; otherwise it scrolls the page.
    this.canvas.style.touchAction = zoom > 1 ? 'none' : 'auto';
    this.canvas.style.cursor = zoom > 1 ? 'grab' : '';
  }

  private describeSplit(): void {
    this.split.ariaValueText = `${this.split.value} % network, ${100 - this.split.valueAsNumber} % photograph`;
  }

  private drag({ buttons, movementX, movementY }: PointerEvent): void {
    if (buttons === 0 || this.look.zoom === 1) return;
    this.pan(-movementX / this.canvas.clientWidth, -movementY / this.canvas.clientHeight);
  }

  private handleKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {
      ArrowLeft: () => this.pan(-PAN_STEP, 0),
      ArrowRight: () => this.pan(PAN_STEP, 0),
      ArrowUp: () => this.pan(0, -PAN_STEP),
      ArrowDown: () => this.pan(0, PAN_STEP),
      '+': () => this.zoom(ZOOM_STEP),
      '-': () => this.zoom(1 / ZOOM_STEP),
      '0': () => this.zoom(0),
    }[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  }
}
