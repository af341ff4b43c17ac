/** What a visitor of a program's page would do to start it. */
import type { Click } from './list.js';

/** Long enough for what a click has started to be over, as the next click may need it. */
const PAUSE_MS = 300;

const pause = async (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, PAUSE_MS);
  });

/** Clicks on each in turn, once it can be clicked. */
export async function startClicks(clicks: readonly Click[]): Promise<void> {
  for (const { id, when = '', isPress } of clicks) {
    const button = document.getElementById(id) as HTMLButtonElement;
    const isReady = (): boolean =>
      !button.disabled && button.style.display !== 'none' && document.body.textContent.includes(when);
    do await pause();
    while (!isReady());
    if (!isPress) button.click();
    for (const type of isPress ? ['mousedown', 'mouseup'] : []) button.dispatchEvent(new Event(type));
  }
}
