import { type Results, type Row } from '../../lab/measuring/rows.js';
import { round } from '../../lab/measuring/statistics.js';
import type { TorchResults } from './torch.js';

/** One line of a session's table: who made a step, how long it took, and what that means. */
export interface SessionRow {
  readonly case: string;
  readonly rule: string;
  /** A peer of the benchmark, or `torch fused`, `torch foreach`, `torch copy_`. */
  readonly contestant: string;
  /** Median milliseconds per step by the wall clock. */
  readonly medianMs: number;
  /** By the GPU's clock: timestamp queries here, CUDA events there; null where there is none. */
  readonly gpuMs: number | null;
  /** What a fused step must move, or a copy moves, over the GPU's time, or the wall's where there is none. */
  readonly gbPerSecond: number;
  /** The limit kernel's time over this one's, by the same clock; null for a copy by PyTorch. */
  readonly ofLimit: number | null;
  /** Bytes per second as a fraction of PyTorch's device-to-device copy; null without PyTorch. */
  readonly ofTorchCopy: number | null;
}

/** Joins what the benchmark and PyTorch measured on the same cases and rules. */
export function mergeRows(bench: Results, torch: TorchResults | null): SessionRow[] {
  const heats = new Map<string, Row[]>();
  for (const row of bench.rows) {
    const key = `${row.case} ${row.rule}`;
    heats.set(key, [...(heats.get(key) ?? []), row]);
  }
  const lines = [...heats.values()].flatMap((rows) => mergeHeat(rows, torch));
  return [...lines, ...copyRows(torch)];
}

function mergeHeat(rows: readonly Row[], torch: TorchResults | null): SessionRow[] {
  const { case: text, rule, gbPerSecond, medianMs } = rows[0]!;
  // All of a heat would have to move the same.
  const megabytes = gbPerSecond * medianMs;
  const limit = rows.find(({ peer }) => peer === 'limit');
  const copy = torch?.copies.find((other) => other.case === text);
  const line = (contestant: string, wallMs: number, gpuMs: number | null): SessionRow => {
    const gb = megabytes / (gpuMs ?? wallMs);
    const limitMs = gpuMs === null ? limit?.medianMs : limit?.gpuMs;
    return {
      case: text,
      rule,
      contestant,
      medianMs: round(wallMs),
      gpuMs: gpuMs === null ? null : round(gpuMs),
      gbPerSecond: round(gb),
      ofLimit: limitMs ? round(limitMs / (gpuMs ?? wallMs)) : null,
      ofTorchCopy: copy ? round(gb / copy.gbPerSecond) : null,
    };
  };
  const ofTorch = torch?.rows.filter((other) => other.case === text && other.rule === rule) ?? [];
  return [
    ...rows.map((row) => line(row.peer, row.medianMs, row.gpuMs ?? null)),
    ...ofTorch.map((row) => line(`torch ${row.variant}`, row.medianMs, row.gpuMs)),
  ];
}

function copyRows(torch: TorchResults | null): SessionRow[] {
  return (torch?.copies ?? []).map((copy) => ({
    case: copy.case,
    rule: '',
    contestant: 'torch copy_',
    medianMs: round(copy.medianMs),
    gpuMs: copy.gpuMs === null ? null : round(copy.gpuMs),
    gbPerSecond: round(copy.gbPerSecond),
    ofLimit: null,
    ofTorchCopy: 1,
  }));
}
