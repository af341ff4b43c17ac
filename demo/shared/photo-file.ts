/** The photograph's name at the root of the site. */
export const PHOTO_FILE = 'nagasaki-boats.jpg';
/** Its size in pixels. */
export const PHOTO_WIDTH = 1024;
export const PHOTO_HEIGHT = 819;
