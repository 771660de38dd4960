/** All output of the client: results on stdout, notices and progress on stderr. Bars appear on terminals only. */
import { SingleBar } from "cli-progress";
import { clearLine, clearToLineEnd, clearToScreenEnd, cursorHome } from "./escape-codes.ts";
import { usageError } from "./failures.ts";
import { FullScreen } from "./full-screen.ts";
import { visible } from "./text.ts";
import { TransferSpeed } from "./transfer-speed.ts";

export interface Progress {
  update(bytes: number): void;
  /** Replaces the label, such as the name of the file that is sent now. */
  rename(label: string): void;
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
const maxLabelChars = 32;

export class Terminal {
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  /** Whether the cursor is behind a progress bar or a live line. */
  #lineShown = false;
  #stdoutIsAudio = false;

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

  /** Stdout is audio: results go to stderr. Throws a CliError if stdout is a terminal, which audio would garble. */
  giveStdoutToAudio(hint: string): void {
    if (this.printsToScreen) throw usageError("standard output is a terminal", hint);
    this.#stdoutIsAudio = true;
  }

  /** Prints a line of the result, on stderr if stdout is audio. */
  result(line: string): void {
    if (!this.#stdoutIsAudio) return this.print(line);
    this.#stderr.write(`${this.#lineShown ? clearLine : ""}${line}\n`);
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
    if (!this.#stderr.isTTY)
      return { update: () => undefined, rename: () => undefined, end: () => undefined };
    const bar = newBar(this.#stderr, totalBytes !== undefined);
    const speed = new TransferSpeed(totalBytes);
    const state = (bytes: number) => ({
      amount: speed.amount(bytes),
      rate: speed.rate(bytes, performance.now()),
    });
    bar.start(totalBytes ?? 0, 0, { label: barLabel(label), amount: speed.amount(0), rate: "" });
    this.#lineShown = true;
    return {
      update: (bytes) => bar.update(bytes, state(bytes)),
      rename: (newLabel) => bar.update({ label: barLabel(newLabel) }),
      end: () => {
        bar.stop();
        this.#lineShown = false;
      },
    };
  }
}

/** The end of a name that is too long has its extension. A wrapped line could not be overwritten. */
function barLabel(label: string): string {
  const shown = visible(label);
  return shown.length <= maxLabelChars ? shown : `...${shown.slice(3 - maxLabelChars)}`;
}

function newBar(stream: NodeJS.WriteStream, hasTotal: boolean): SingleBar {
  return new SingleBar({
    format: hasTotal ? "{label} [{bar}] {percentage}% {amount}{rate}" : "{label} {amount}{rate}",
    stream,
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    gracefulExit: false,
  });
}
