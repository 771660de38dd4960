/** The child process of a player, from its start to the meaning of its exit. */
import { type ChildProcess, spawn } from "node:child_process";
import { CliError, fileError } from "../kit/failures.ts";
import type { PlayerKind } from "./player-kinds.ts";

/** The end of a player's stderr that is kept, for the message of a failure. */
const maxStderrChars = 4096;
/** After SIGTERM, a player has this long before SIGKILL. */
const killAfterMs = 1_000;

export interface PlayOptions {
  /** Where to start; undefined for the beginning. */
  seekSeconds: number | undefined;
  /** Stops the player at once. */
  signal: AbortSignal;
}

export class PlayerProcess {
  readonly #child: ChildProcess;
  readonly #kind: PlayerKind;
  readonly #signal: AbortSignal;
  /** Resolves when the process has exited, or could not start. */
  readonly #exited: Promise<void>;
  /** Resolves with the exit code once stderr is complete too. */
  readonly #ended: Promise<number | null>;
  #stderr = "";

  /** Starts the player on the file `path`, or on a pipe if that is undefined. */
  constructor(kind: PlayerKind, path: string | undefined, { seekSeconds, signal }: PlayOptions) {
    this.#kind = kind;
    this.#signal = signal;
    const stdin = path === undefined ? "pipe" : "ignore";
    this.#child = spawn(kind.command, kind.args(path, seekSeconds), { stdio: [stdin, "ignore", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-maxStderrChars);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", () => resolve()).once("error", () => resolve());
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("close", (code) => resolve(code));
      this.#child.once("error", (error) => reject(fileError(kind.command, error)));
    });
    // `close` before `finished` leaves nobody to handle a rejection.
    this.#ended.catch(() => undefined);
    signal.addEventListener("abort", this.#stop);
  }

  /** Calls `onError` if the player closes the pipe. */
  onPipeError(onError: () => void): void {
    this.#child.stdin?.on("error", onError);
  }

  /** Writes to the pipe; resolves when the player has accepted the bytes (backpressure), or with an error. */
  write(bytes: Uint8Array): Promise<Error | null | undefined> {
    return new Promise((resolve) => this.#child.stdin?.write(bytes, (error) => resolve(error)));
  }

  endPipe(): void {
    this.#child.stdin?.end();
  }

  /** Resolves when the player has played everything; throws a CliError if it failed. */
  async finished(): Promise<void> {
    const code = await this.#ended;
    this.#signal.removeEventListener("abort", this.#stop);
    this.#signal.throwIfAborted();
    if (code !== 0 || this.#kind.faultPattern?.test(this.#stderr) === true) throw this.failure();
  }

  failure(): CliError {
    const lines = this.#stderr.trim().split("\n");
    const said = lines.findLast((line) => this.#kind.faultPattern?.test(line)) ?? lines.at(-1) ?? "";
    const cause = said === "" ? "it gives no reason" : said;
    return new CliError(
      `${this.#kind.command} could not play the song: ${cause}`,
      "is there a sound device? Otherwise save the song with --output FILE",
    );
  }

  /** Stops the player and waits for its exit. */
  async close(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    this.#stop();
    await this.#exited;
  }

  readonly #stop = (): void => {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), killAfterMs);
    void this.#exited.then(() => {
      clearTimeout(timer);
      // Child processes of the player may keep stderr open, which would keep this program alive.
      this.#child.stderr?.destroy();
    });
  };
}
