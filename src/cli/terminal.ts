/** The one place that writes: results to stdout, everything else to stderr, a progress bar only on a terminal. */
import { SingleBar } from "cli-progress";
import { humanBytes, visible } from "./text.ts";

export interface Progress {
  update(bytes: number): void;
  /** Takes the bar away. */
  end(): void;
}

export class Terminal {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  #barShown = false;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** A line of the result. What comes from elsewhere must have been made visible. */
  print(line: string): void {
    this.#stdout.write(`${line}\n`);
  }

  /** A line beside the result. */
  note(line: string): void {
    const clear = this.#barShown ? "\r\u001b[K" : "";
    this.#stderr.write(`${clear}${visible(line)}\n`);
  }

  /** A bar on stderr where that is a terminal; `totalBytes` is undefined where nobody knows it. */
  progress(label: string, totalBytes: number | undefined): Progress {
    if (!this.#stderr.isTTY) return { update: () => undefined, end: () => undefined };
    const amount = (bytes: number) =>
      totalBytes === undefined ? humanBytes(bytes) : `${humanBytes(bytes)} of ${humanBytes(totalBytes)}`;
    const bar = new SingleBar({
      format: totalBytes === undefined ? "{label} {amount}" : "{label} [{bar}] {percentage}% {amount}",
      stream: this.#stderr,
      barsize: 30,
      hideCursor: true,
      clearOnComplete: true,
      forceRedraw: true,
      gracefulExit: false,
    });
    bar.start(totalBytes ?? 0, 0, { label: visible(label), amount: amount(0) });
    this.#barShown = true;
    return {
      update: (bytes) => bar.update(bytes, { amount: amount(bytes) }),
      end: () => {
        bar.stop();
        this.#barShown = false;
      },
    };
  }
}
