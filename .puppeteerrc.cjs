/**
 * Puppeteer's settings. An `npm install` downloads no browser: scripts/browsers.ts looks for one that the machine has, and
 * asks puppeteer for one only where there is none.
 *
 * @type {import('puppeteer').Configuration}
 */
module.exports = { skipDownload: true };
