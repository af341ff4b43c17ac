/** Settles once the visitor sees the page: at once, or when the tab comes to the front again. */
export async function whenVisible(): Promise<void> {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
  }
}
