import { slipsIn } from './slip.js';

const tests = ['nats/rounds', 'nats/trouble'];

export const natsSlips = [
  ...slipsIn('src/nats/name-claim.ts', tests, [
    ['if (!(await this.#create())) throw this.#taken();', 'await this.#create();'],
    ['    this.#schedule();\n  }', '  }'],
    ["if (entry?.operation !== 'PUT' || entry.string() !== this.#life) return false;", ''],
    ['      this.onLost(this.#taken());', ''],
    ['if (this.#revision > 0) await this.kv.delete', 'if (this.#revision < 0) await this.kv.delete'],
  ]),
  ...slipsIn('src/nats/records.ts', tests, [
    ['if (heardAt <= earliest)', 'if (heardAt > earliest)'],
    ['else this.#heardAtMs.delete(key);', ''],
  ]),
  ...slipsIn('src/nats/byte-store.ts', tests, [
    ['if ((state.subjects?.[subject] ?? 0) < info.chunks) return undefined;', ''],
    ['      await this.#purge(`M.${encodeName(name)}`);', ''],
    ['      await this.#purge(`C.${nuid}`);', ''],
  ]),
  ...slipsIn('src/nats/attempts.ts', tests, [
    ["const PASSING = new Set([\n  'TimeoutError',", "const PASSING = new Set([\n  'nothing',"],
    ['if (patience.hasPassed) throw this.#awayError(what, error);', ''],
    [
      "return cause instanceof Error && cause.name === 'PermissionViolationError' ? cause.name : error.name;",
      'return error.name;',
    ],
  ]),
  ...slipsIn('src/nats/nats-seat.ts', tests, [
    [
      '        if (!isConflict(error)) throw error;\n        const standing',
      '        throw error;\n        const standing',
    ],
    ['await rounds.create(key, JSON.stringify(close));', 'await rounds.put(key, JSON.stringify(close));'],
    [
      '        this.attempts.reconnected();\n        this.#restart();',
      '        this.attempts.reconnected();',
    ],
    ["if (kind === 'snapshot') return itsRound < round;", "if (kind === 'snapshot') return false;"],
    ['if (itsRound >= keepFrom) return false;', 'if (itsRound > keepFrom) return false;'],
    ['    clearTimeout(this.#expiry);\n    this.#peers.stop();', '    this.#peers.stop();'],
    ['newest.facts.round >= facts.round', 'newest.facts.round > facts.round'],
  ]),
  ...slipsIn('src/nats/nats-transport.ts', tests, [
    ['if (ttl !== expirySeconds * 1000)', 'if (ttl < expirySeconds * 1000)'],
    ['expirySeconds < SHORTEST_EXPIRY_SECONDS', 'expirySeconds < 0'],
  ]),
];
