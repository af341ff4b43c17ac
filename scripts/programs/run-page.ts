/** Runs a page that is served to this machine only, without a network: what it asks for elsewhere is stood in for. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'puppeteer';
import { standIn } from './data.js';
import type { ProgramRecord, ProgramRun } from './report.js';

/** How long a page may take, and one call into it. */
export const LIMIT_MS = 60_000;

export interface ProgramPage {
  /** What it is, for errors. */
  readonly what: string;
  readonly html: string;
  readonly script: string;
  /** Its own files. */
  readonly folder: string;
}

/** @throws Error if the page crashes, or takes too long to leave its record in `globalThis.programRecord`. */
export async function runPage(browser: Browser, program: ProgramPage): Promise<ProgramRun> {
  const { what, html, script, folder } = program;
  const standIns: string[] = [];
  const answerTo = (url: string) => {
    const answer = standIn(url);
    if (answer) standIns.push(url.split('/').at(-1)!);
    return answer;
  };
  const server = createServer(({ url = '/' }, response) => {
    const send = (type: string, body: string | Buffer) => response.setHeader('content-type', type).end(body);
    const own = join(folder, url);
    if (url === '/start.js') send('text/javascript', script);
    else if (url !== '/' && existsSync(own) && statSync(own).isFile())
      send('application/octet-stream', readFileSync(own));
    else {
      const answer = answerTo(url);
      send(answer?.type ?? 'text/html', answer?.body ?? html);
    }
  });
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const page = await browser.newPage();
  try {
    const errors: string[] = [];
    let last = 'nothing';
    page.on('console', (message) => {
      last = message.text();
      if (message.type() === 'error') errors.push(last);
    });
    const crashed = new Promise<never>((_, reject) => {
      page.on('pageerror', (error) => {
        reject(new Error(`${what}: ${error instanceof Error ? error.stack : String(error)}`));
      });
    });
    // What is not stood in for is not needed to train; an empty answer is no error.
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const url = request.url();
      if (!/^https?:/.test(url) || url.startsWith(origin)) return void request.continue();
      const answer = answerTo(url);
      return void request.respond({
        status: 200,
        headers: { 'access-control-allow-origin': '*' },
        ...(answer && { contentType: answer.type, body: answer.body }),
      });
    });
    await page.goto(origin);
    const finished = page
      .waitForFunction('globalThis.programRecord', { timeout: LIMIT_MS })
      .catch((error) => {
        const message = `${what}: it has not made its steps within ${LIMIT_MS / 1000} s, and said last: ${last}`;
        throw new Error([message, ...errors].join('; '), { cause: error });
      });
    await Promise.race([finished, crashed]);
    const record = (await page.evaluate('globalThis.programRecord')) as ProgramRecord;
    return { ...record, errors, standIns: [...standIns, ...record.standIns] };
  } finally {
    await page.close();
    server.close();
    server.closeAllConnections();
  }
}
