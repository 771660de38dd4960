/**
 * Full-screen mode of a terminal: raw key input, and frames drawn over each other on the alternate screen. `close` and
 * the end of the process restore the terminal.
 */
import {
  clearToLineEnd,
  clearToScreenEnd,
  ctrlD,
  cursorHome,
  enterFullScreen,
  escape,
  leaveFullScreen,
} from "./escape-codes.ts";

const fallbackColumns = 80;
const fallbackRows = 24;

export interface ScreenSize {
  columns: number;
  rows: number;
}

type Input = NodeJS.ReadStream;

export class FullScreen {
  readonly #input: Input;
  readonly #output: NodeJS.WriteStream;
  readonly #onKey: (key: string) => void;
  #shown = "";
  #isOpen = true;

  /** `onKey` gets each character. Ctrl-C arrives as `ctrlC`; the end of the input arrives as `ctrlD`. */
  constructor(input: Input, output: NodeJS.WriteStream, onKey: (key: string) => void) {
    this.#input = input;
    this.#output = output;
    this.#onKey = onKey;
    process.on("exit", this.#restore);
    output.on("resize", this.#forceRedraw);
    input.setEncoding("utf8").on("data", this.#onData).on("end", this.#onEnd);
    input.setRawMode(true);
    input.resume();
    output.write(enterFullScreen);
  }

  get size(): ScreenSize {
    const { columns, rows } = this.#output;
    return { columns: columns > 0 ? columns : fallbackColumns, rows: rows > 0 ? rows : fallbackRows };
  }

  /** Draws one frame. The caller fits the lines to `size`; they may contain colors. */
  draw(lines: readonly string[]): void {
    // A line break after the last row would scroll the screen.
    const text = lines.map((line) => line + clearToLineEnd).join("\r\n");
    if (text === this.#shown || !this.#isOpen) return;
    this.#shown = text;
    this.#output.write(cursorHome + text + clearToScreenEnd);
  }

  close(): void {
    this.#restore();
    process.off("exit", this.#restore);
    this.#output.off("resize", this.#forceRedraw);
    this.#input.off("data", this.#onData).off("end", this.#onEnd);
    // A flowing stdin keeps the process alive.
    this.#input.pause();
  }

  readonly #restore = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#input.setRawMode(false);
    this.#output.write(leaveFullScreen);
  };

  readonly #forceRedraw = (): void => {
    this.#shown = "";
  };

  readonly #onEnd = (): void => this.#onKey(ctrlD);

  readonly #onData = (text: string): void => {
    // Arrow and function keys send escape sequences; their characters are not keys.
    if (text.startsWith(escape)) return;
    for (const key of text) this.#onKey(key);
  };
}
