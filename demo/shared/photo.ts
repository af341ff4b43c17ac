import { fileUrl } from '../../lab/tasks/file-url.js';
import { PHOTO_FILE, PHOTO_HEIGHT, PHOTO_WIDTH } from './photo-file.js';

/** A picture as the model takes it. */
export interface Photo {
  readonly width: number;
  readonly height: number;
  /** RGBA, 8 bits each, one word per pixel, row after row. */
  readonly pixels: Uint32Array<ArrayBuffer>;
}

/** Height of the photograph at a width, to the nearest pixel. */
export function heightAt(width: number): number {
  return Math.round((width * PHOTO_HEIGHT) / PHOTO_WIDTH);
}

/** Fetches the photograph from the page's own server and scales it to a width of at most its own. */
export async function fetchPhoto(width: number, url: string = fileUrl(PHOTO_FILE)): Promise<Photo> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`The photograph could not be loaded: ${url} answered ${response.status}.`);
  }
  const height = heightAt(width);
  const bitmap = await createImageBitmap(await response.blob(), {
    resizeWidth: width,
    resizeHeight: height,
    resizeQuality: 'high',
  });
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser offers no 2D canvas to read the photograph with.');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, pixels: new Uint32Array(data.buffer) };
}
