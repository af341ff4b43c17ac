/** How a run shows on a terminal, and where there is none. */
import { Presets, SingleBar } from 'cli-progress';
import type { ProgressReport, TrainingReport } from '../demo/train/reports.js';

/** Shows reports as they come. */
export interface Progress {
  show(report: TrainingReport): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere (a log, a pipe) one line a report, for a bar redraws itself. */
export function createProgress(title: string, stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? new BarProgress(title, stream) : new LineProgress(title, stream);
}

class BarProgress implements Progress {
  private readonly bar: SingleBar;
  private started = false;
  private accuracy = '–';

  constructor(
    private readonly title: string,
    private readonly stream: NodeJS.WriteStream,
  ) {
    this.bar = new SingleBar(
      {
        format: `${title} {bar} {value}/{total} · loss {loss} · accuracy {accuracy} · {rate} · {share} · {eta_formatted}`,
        stream,
        barsize: 20,
        // One report is all that is known about the rate at first, and the first is slow.
        etaBuffer: 10,
        hideCursor: true,
      },
      Presets.shades_classic,
    );
    stream.write(`${title}: preparing …`);
  }

  show(report: TrainingReport): void {
    if (report.kind === 'epoch') {
      this.accuracy = percent(report.accuracy);
      this.bar.update({ accuracy: this.accuracy });
      return;
    }
    if (!this.started) {
      this.started = true;
      this.stream.write('\r');
      this.bar.start(report.totalSteps, 0, this.fields(report));
    }
    this.bar.update(report.step, this.fields(report));
  }

  stop(): void {
    if (this.started) {
      this.bar.stop();
    } else {
      // Nothing came after "preparing"; what follows starts on a line of its own.
      this.stream.write(`\r${' '.repeat(this.title.length + 13)}\r`);
    }
  }

  private fields(report: ProgressReport): Record<string, string> {
    return { ...readings(report), accuracy: this.accuracy };
  }
}

class LineProgress implements Progress {
  constructor(
    private readonly title: string,
    private readonly stream: NodeJS.WriteStream,
  ) {}

  show(report: TrainingReport): void {
    if (report.kind === 'epoch') {
      const { epoch, loss, accuracy } = report;
      this.line(`epoch ${epoch} done: held-out accuracy ${percent(accuracy)}, loss ${loss.toFixed(4)}`);
    } else {
      const { loss, rate, share } = readings(report);
      this.line(`step ${report.step}/${report.totalSteps}, loss ${loss}, ${rate}, ${share}`);
    }
  }

  stop(): void {}

  private line(text: string): void {
    this.stream.write(`${this.title}: ${text}\n`);
  }
}

function readings({ loss, stepsPerSecond, optimizerShare }: ProgressReport): {
  loss: string;
  rate: string;
  share: string;
} {
  return {
    loss: loss.toFixed(4),
    rate: `${stepsPerSecond.toFixed(1)} steps/s`,
    share: `optimizer ${percent(optimizerShare)}`,
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
