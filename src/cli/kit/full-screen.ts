/**
 * The whole of a terminal for one program: keys come as they are pressed, lines take the place of those before. However
 * the program ends, the terminal is as it was before.
 */

const enter = "\u001b[?1049h\u001b[?25l";
const leave = "\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearRest = "\u001b[K";
const clearBelow = "\u001b[J";

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

  /** `onKey` is told each character; Ctrl-C is "\x03", and "\x04" that no more can come. */
  constructor(input: Input, output: NodeJS.WriteStream, onKey: (key: string) => void) {
    this.#input = input;
    this.#output = output;
    this.#onKey = onKey;
    process.on("exit", this.#restore);
    output.on("resize", this.#forget);
    input.setEncoding("utf8").on("data", this.#keys).on("end", this.#ended);
    input.setRawMode(true);
    input.resume();
    output.write(enter);
  }

  get size(): ScreenSize {
    const { columns, rows } = this.#output;
    return { columns: columns > 0 ? columns : fallbackColumns, rows: rows > 0 ? rows : fallbackRows };
  }

  /** As many lines as there are rows at most, each with its own colors and none wider than the screen. */
  draw(lines: readonly string[]): void {
    // Without a break after the last line: that would move all of them up.
    const text = lines.map((line) => line + clearRest).join("\r\n");
    if (text === this.#shown || !this.#isOpen) return;
    this.#shown = text;
    this.#output.write(home + text + clearBelow);
  }

  close(): void {
    this.#restore();
    process.off("exit", this.#restore);
    this.#output.off("resize", this.#forget);
    this.#input.off("data", this.#keys).off("end", this.#ended);
    // Input that is waited for keeps the program alive.
    this.#input.pause();
  }

  readonly #restore = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#input.setRawMode(false);
    this.#output.write(leave);
  };

  readonly #forget = (): void => {
    this.#shown = "";
  };

  readonly #ended = (): void => this.#onKey("\u0004");

  /** Keys without a character of their own come as sequences that begin with an escape. */
  readonly #keys = (text: string): void => {
    if (text.startsWith("\u001b")) return;
    for (const key of text) this.#onKey(key);
  };
}
