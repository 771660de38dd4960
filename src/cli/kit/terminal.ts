/** All output of the client: results on stdout, notices and progress on stderr. Bars appear on terminals only. */
import { SingleBar } from "cli-progress";
import { clearLine, clearToLineEnd, clearToScreenEnd, cursorHome } from "./escape-codes.ts";
import { usageError } from "./failures.ts";
import { FullScreen } from "./full-screen.ts";
import { humanBytes, visible } from "./text.ts";

export interface Progress {
  update(bytes: number): void;
  /** Removes the bar. */
  end(): void;
}

/** A status line that each `show` overwrites. */
export interface LiveLine {
  show(line: string): void;
  /** Keeps the last line on the screen. */
  end(): void;
}

/** Used if the terminal does not report its width. */
const fallbackColumns = 79;

export class Terminal {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  /** Whether the cursor is behind a progress bar or a live line. */
  #lineShown = false;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Prints a line of the result. The caller escapes untrusted text with `visible`. */
  print(line: string): void {
    // Otherwise the result would continue the line of a bar.
    if (this.#lineShown) this.#stderr.write(clearLine);
    this.#stdout.write(`${line}\n`);
  }

  printAll(lines: readonly string[]): void {
    for (const line of lines) this.print(line);
  }

  /** Draws over the previous result, cut to the size of the screen. */
  redraw(lines: readonly string[]): void {
    const { rows, columns } = this.#stdout;
    const fitting = lines.slice(0, rows > 1 ? rows - 1 : lines.length);
    const shown = fitting.map((line) => line.slice(0, columns > 0 ? columns : fallbackColumns));
    this.#stdout.write(
      `${cursorHome}${shown.map((line) => `${line}${clearToLineEnd}\n`).join("")}${clearToScreenEnd}`,
    );
  }

  /** Whether stdin and stdout are a terminal that can be drawn on. */
  get isInteractive(): boolean {
    return process.stdin.isTTY && this.#stdout.isTTY && process.env["TERM"] !== "dumb";
  }

  /** False if the user sets NO_COLOR (https://no-color.org). */
  get hasColors(): boolean {
    return this.#stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "";
  }

  /** Takes over the screen until the result is closed; requires `isInteractive`. */
  fullScreen(onKey: (key: string) => void): FullScreen {
    return new FullScreen(process.stdin, this.#stdout, onKey);
  }

  get printsToScreen(): boolean {
    return this.#stdout.isTTY;
  }

  /** Throws a CliError if stdout is a terminal, which audio would garble. */
  refuseAudioOnScreen(hint: string): void {
    if (this.printsToScreen) throw usageError("standard output is a terminal", hint);
  }

  /** Writes binary results; resolves when stdout has accepted the bytes (backpressure). */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Prints a notice on stderr. */
  note(line: string): void {
    const clear = this.#lineShown ? clearLine : "";
    this.#stderr.write(`${clear}${visible(line)}\n`);
  }

  /** A live line on stderr; if that is no terminal, each `show` prints a new line. */
  live(): LiveLine {
    if (!this.#stderr.isTTY) return { show: (line) => this.note(line), end: () => undefined };
    return {
      show: (line) => {
        // A wrapped line could not be overwritten.
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

  /** A progress bar on stderr; nothing if that is no terminal. Without `totalBytes` it only counts. */
  progress(label: string, totalBytes: number | undefined): Progress {
    if (!this.#stderr.isTTY) return { update: () => undefined, end: () => undefined };
    const amount = (bytes: number) =>
      totalBytes === undefined ? humanBytes(bytes) : `${humanBytes(bytes)} of ${humanBytes(totalBytes)}`;
    const bar = newBar(this.#stderr, totalBytes !== undefined);
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

function newBar(stream: NodeJS.WriteStream, hasTotal: boolean): SingleBar {
  return new SingleBar({
    format: hasTotal ? "{label} [{bar}] {percentage}% {amount}" : "{label} {amount}",
    stream,
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    gracefulExit: false,
  });
}
