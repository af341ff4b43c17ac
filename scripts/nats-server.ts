/** A NATS server for the tests and `npm run fleet`: makes sure of one, starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from './find-browser.js';
import { canUseApt, installPackages } from './install-browser.js';
import { beforeLeaving } from './terminal/leaving.js';

/** The command, and the Debian package that brings it. */
const NATS_SERVER = 'nats-server';
const START_MS = 20_000;
const LOOK_MS = 20;

/**
 * The path of nats-server, which is installed if the machine has none and this process may.
 *
 * @throws Error that says what was tried and what to do
 */
export function ensureNatsServer(): string {
  const named = process.env['NATS_SERVER_PATH'];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(
      `NATS_SERVER_PATH is "${named}", which is no file. Correct it, or unset it to search the usual places.`,
    );
  }
  const found = findCommand(NATS_SERVER);
  if (found !== undefined) return found;
  let tried = 'apt-get was not tried, it needs root on Debian or Ubuntu.';
  if (canUseApt()) {
    try {
      installPackages([NATS_SERVER]);
      const installed = findCommand(NATS_SERVER);
      if (installed !== undefined) return installed;
      tried = `apt-get installed ${NATS_SERVER}, but the command is not found.`;
    } catch (error) {
      tried = error instanceof Error ? error.message : String(error);
    }
  }
  throw new Error(
    [
      `No ${NATS_SERVER} on this machine, which fleets need. ${tried}`,
      `"sudo apt-get install ${NATS_SERVER}" on Debian and Ubuntu, "brew install ${NATS_SERVER}" on macOS,`,
      'or https://github.com/nats-io/nats-server/releases; set NATS_SERVER_PATH if it is in an unusual place.',
    ].join('\n'),
  );
}

/** A server that runs, on ports of its own, with JetStream, on this machine only. */
export interface NatsServer {
  /** For `connect()` in Node. */
  readonly url: string;
  /** For `wsconnect()`, in browsers too. */
  readonly websocketUrl: string;
  /** Ends it, as a crash would unless said otherwise. What it has stored stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same ports, with what it had stored. */
  start(): Promise<void>;
  /** Removes what it has stored, while it does not run. */
  wipe(): void;
  /** Ends it, and removes what it has stored. */
  destroy(): Promise<void>;
}

/**
 * @param config further lines of its configuration: users, limits.
 * @param jetstream further lines about JetStream; `false`: without it.
 */
export async function startNatsServer(config = '', jetstream: string | false = ''): Promise<NatsServer> {
  const server = new LocalServer(ensureNatsServer(), config, jetstream);
  await server.start();
  return server;
}

class LocalServer implements NatsServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-nats-'));
  readonly #takeBack = beforeLeaving(() => this.destroy());
  /** Whoever ends without a word, as at an error that nobody catches, has no time for more. */
  readonly #end = (): void => {
    this.#process?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  };
  #process: ChildProcess | undefined;
  /** −1: any that are free. */
  #ports = { nats: -1, websocket: -1 };

  constructor(
    private readonly command: string,
    private readonly config: string,
    private readonly jetstream: string | false,
  ) {
    process.on('exit', this.#end);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#ports.nats}`;
  }

  get websocketUrl(): string {
    return `ws://127.0.0.1:${this.#ports.websocket}`;
  }

  async start(): Promise<void> {
    const portsFolder = join(this.#folder, 'ports');
    rmSync(portsFolder, { recursive: true, force: true });
    mkdirSync(portsFolder);
    const configFile = join(this.#folder, 'server.conf');
    writeFileSync(configFile, this.#configuration());
    const child = spawn(this.command, ['-c', configFile, '--ports_file_dir', portsFolder], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let log = '';
    child.stderr.on('data', (data) => (log += String(data)));
    const lastMs = performance.now() + START_MS;
    for (;;) {
      const text = readdirSync(portsFolder)
        .filter((name) => name.endsWith('.ports'))
        .map((name) => readFileSync(join(portsFolder, name), 'utf8'))[0];
      if (text) {
        const { nats, websocket } = JSON.parse(text) as { nats: string[]; websocket: string[] };
        this.#ports = { nats: portOf(nats[0]), websocket: portOf(websocket[0]) };
        return;
      }
      if (child.exitCode !== null || performance.now() > lastMs) {
        await this.kill();
        throw new Error(`${this.command} did not start:\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  wipe(): void {
    rmSync(this.#store, { recursive: true, force: true });
  }

  async destroy(): Promise<void> {
    this.#takeBack();
    await this.kill();
    process.off('exit', this.#end);
    this.#end();
  }

  get #store(): string {
    return join(this.#folder, 'store');
  }

  #configuration(): string {
    const store = `store_dir: ${JSON.stringify(this.#store)}`;
    return [
      'host: "127.0.0.1"',
      `port: ${this.#ports.nats}`,
      `websocket { host: "127.0.0.1", port: ${this.#ports.websocket}, no_tls: true }`,
      this.jetstream === false ? '' : `jetstream {\n${store}\n${this.jetstream}\n}`,
      this.config,
    ].join('\n');
  }
}

function portOf(address: string | undefined): number {
  const port = Number(/:(?<port>\d+)$/u.exec(address ?? '')?.groups?.['port']);
  if (port > 0) return port;
  throw new Error(`nats-server listens on "${address}", which has no port.`);
}
