/** The command line client in a pseudo-terminal (not on Windows, where Bun has none). */
import { join } from "node:path";
import { until, within } from "./until.ts";

const program = join(import.meta.dir, "../../cli/main.ts");
const limitMs = 10_000;

export class ClientTerminal {
  readonly #child: Bun.Subprocess;
  readonly #terminal: Bun.Terminal;
  readonly #flagsBefore: number;
  /** All output so far. */
  text = "";

  constructor(args: readonly string[], cwd: string, env: Record<string, string> = {}) {
    this.#child = Bun.spawn([process.execPath, "run", program, ...args], {
      cwd,
      env: { ...process.env, TERM: "xterm-256color", ...env },
      terminal: { cols: 90, rows: 40, data: (_terminal, bytes) => void (this.text += Buffer.from(bytes)) },
    });
    this.#terminal = this.#child.terminal!;
    this.#flagsBefore = this.#terminal.localFlags;
  }

  /** The lines on the screen now, without colours. */
  get lines(): string[] {
    const drawn = this.text.slice(this.text.lastIndexOf("\u001b[H"));
    return Bun.stripANSI(drawn).replaceAll("\r", "").split("\n");
  }

  get isRaw(): boolean {
    return this.#terminal.localFlags !== this.#flagsBefore;
  }

  type(keys: string): void {
    this.#terminal.write(keys);
  }

  async shows(what: string | RegExp): Promise<void> {
    await until(
      `the screen to show ${what}`,
      limitMs,
      () => this.lines.some((line) => (typeof what === "string" ? line.includes(what) : what.test(line))),
      () => this.lines.join("\n"),
    );
  }

  /** The exit code. */
  exit(signal?: NodeJS.Signals): Promise<number> {
    if (signal !== undefined) this.#child.kill(signal);
    return within("the exit", limitMs, this.#child.exited, () => this.text);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    this.#terminal.close();
  }
}
