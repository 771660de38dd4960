/** A progress line on the terminal while a bench runs; nothing without a terminal. */
import { type LiveLine, Terminal } from "../../src/cli/kit/terminal.ts";
import { humanBytes, megabitsPerSecond } from "../../src/cli/kit/text.ts";
import type { Board } from "./transfers.ts";

const refreshMs = 200;

export class Progress implements Disposable {
  readonly #line: LiveLine | undefined;
  readonly #timer: Timer | undefined;
  #name = "";
  #board: Board | undefined;
  #totalBytes = 0;
  #beganAt = 0;

  constructor() {
    if (!process.stderr.isTTY) return;
    this.#line = new Terminal(process.stdout, process.stderr).live();
    this.#timer = setInterval(() => this.#show(), refreshMs);
  }

  /** Starts a phase of `totalBytes` bytes, of which the board counts those moved. */
  phase(name: string, board?: Board, totalBytes = 0): void {
    this.#name = name;
    this.#board = board;
    this.#totalBytes = totalBytes;
    this.#beganAt = performance.now();
    this.#show();
  }

  #show(): void {
    if (this.#board === undefined) return this.#line?.show(this.#name);
    const bytes = this.#board.bytes;
    const mbps = megabitsPerSecond(bytes, performance.now() - this.#beganAt).toFixed(0);
    const amount = `${humanBytes(bytes)} of ${humanBytes(this.#totalBytes)}`;
    const errors = this.#board.errors.length > 0 ? `, ${this.#board.errors.length} errors` : "";
    this.#line?.show(`${this.#name}  ${amount}  ${mbps} Mbit/s${errors}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#line?.show("");
    this.#line?.end();
  }
}
