/** The one place that writes: results to stdout, everything else to stderr, a progress bar only on a terminal. */
import { SingleBar } from "cli-progress";
import { FullScreen } from "./full-screen.ts";
import { humanBytes, visible } from "./text.ts";

export interface Progress {
  update(bytes: number): void;
  /** Takes the bar away. */
  end(): void;
}

/** One line that changes. */
export interface LiveLine {
  show(line: string): void;
  /** Leaves the last line where it is. */
  end(): void;
}

/** Where a terminal does not say how wide it is. */
const fallbackColumns = 79;

const clearLine = "\r\u001b[K";
const home = "\u001b[H";
const clearRest = "\u001b[K";
const clearBelow = "\u001b[J";

export class Terminal {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  /** Whether the cursor is behind a bar or a live line. */
  #lineShown = false;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** A line of the result. What comes from elsewhere must have been made visible. */
  print(line: string): void {
    // A bar, which is drawn again, would stand before it.
    if (this.#lineShown) this.#stderr.write(clearLine);
    this.#stdout.write(`${line}\n`);
  }

  /** A result that takes the place of the one before, cut to what the screen has room for. */
  redraw(lines: readonly string[]): void {
    const { rows, columns } = this.#stdout;
    const room = lines.slice(0, rows > 1 ? rows - 1 : lines.length);
    const shown = room.map((line) => line.slice(0, columns > 0 ? columns : fallbackColumns));
    this.#stdout.write(`${home}${shown.map((line) => `${line}${clearRest}\n`).join("")}${clearBelow}`);
  }

  /** Whether somebody is there who sees the screen and presses keys, on a terminal that can be drawn on. */
  get isInteractive(): boolean {
    return process.stdin.isTTY && this.#stdout.isTTY && process.env["TERM"] !== "dumb";
  }

  /** Unless NO_COLOR says otherwise (https://no-color.org). */
  get hasColors(): boolean {
    return this.#stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "";
  }

  /** Takes the screen until it is closed; see `isInteractive`. */
  fullScreen(onKey: (key: string) => void): FullScreen {
    return new FullScreen(process.stdin, this.#stdout, onKey);
  }

  /** Whether somebody reads the results on a screen. */
  get printsToScreen(): boolean {
    return this.#stdout.isTTY;
  }

  /** Bytes of a result that is no text; resolves when whoever reads them has room for more. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** A line beside the result. */
  note(line: string): void {
    const clear = this.#lineShown ? clearLine : "";
    this.#stderr.write(`${clear}${visible(line)}\n`);
  }

  /** A line on stderr that is written over on a terminal, and one line after the other elsewhere. */
  live(): LiveLine {
    if (!this.#stderr.isTTY) return { show: (line) => this.note(line), end: () => undefined };
    return {
      show: (line) => {
        // A line that wraps could not be written over.
        const { columns } = this.#stderr;
        const shown = visible(line).slice(0, columns > 1 ? columns - 1 : fallbackColumns);
        this.#stderr.write(clearLine + shown);
        this.#lineShown = true;
      },
      end: () => {
        if (this.#lineShown) this.#stderr.write("\n");
        this.#lineShown = false;
      },
    };
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
    this.#lineShown = true;
    return {
      update: (bytes) => bar.update(bytes, { amount: amount(bytes) }),
      end: () => {
        bar.stop();
        this.#lineShown = false;
      },
    };
  }
}
