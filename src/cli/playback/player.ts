/** A player that runs: audio goes in as it comes, and it is over when the audio has been heard. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sniffAudioFormat } from "../../codec/sniff.ts";
import { CliError, fileError } from "../kit/failures.ts";
import { OutputFile } from "../kit/files.ts";
import { choosePlayer, type PlayerKind, playerKinds, playsFromItsBeginning } from "./players.ts";

/** What is kept of a player's rateLimitedLog. */
const maxComplaintChars = 4096;
/** A player that does not end when it is asked to is ended. */
const killAfterMs = 1_000;

const installHint = "install ffmpeg (for ffplay) or mpv, or save the song with --output FILE";

/** Throws a CliError where no player is to be found, whatever the song. */
export function refuseWithoutPlayer(): void {
  if (!playerKinds.some(({ command }) => isThere(command)))
    throw new CliError("no player is installed", installHint);
}

export function isThere(command: string): boolean {
  return Bun.which(command) !== null;
}

export interface PlayOptions {
  seekSeconds: number | undefined;
  /** Ends the player at once. */
  signal: AbortSignal;
}

export interface Player {
  readonly command: string;
  /** Resolves when there is room for more. False once the player is gone: it wants no more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** All has been written: resolves when it has been heard. Throws a CliError where the player failed. */
  finish(): Promise<void>;
  /** Stops it and leaves nothing behind. */
  close(): Promise<void>;
}

/** Chooses by the song's first bytes; throws a CliError where no player can do what is asked. */
export async function openPlayer(head: Uint8Array, options: PlayOptions): Promise<Player> {
  const format = sniffAudioFormat(head);
  const kind = choosePlayer({ format, seekSeconds: options.seekSeconds }, isThere);
  if (kind === undefined) {
    const from = options.seekSeconds === undefined ? "" : ", beginning amid it";
    throw new CliError(`no player here can play ${format ?? "this"}${from}`, installHint);
  }
  const pipes = kind.takesPipe && playsFromItsBeginning(head, format);
  return pipes ? new PipePlayer(kind, options) : await FilePlayer.open(kind, options);
}

/** A player's process, from its start to what its end means. */
class Process {
  readonly child: ChildProcess;
  readonly #kind: PlayerKind;
  readonly #signal: AbortSignal;
  /** The process is gone, or never came. */
  readonly #gone: Promise<void>;
  /** Its exit code, once all it had to say was heard too. */
  readonly #ended: Promise<number | null>;
  #rateLimitedLog = "";

  constructor(kind: PlayerKind, path: string | undefined, { seekSeconds, signal }: PlayOptions) {
    this.#kind = kind;
    this.#signal = signal;
    const stdin = path === undefined ? "pipe" : "ignore";
    this.child = spawn(kind.command, kind.args(path, seekSeconds), { stdio: [stdin, "ignore", "pipe"] });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#rateLimitedLog = (this.#rateLimitedLog + text).slice(-maxComplaintChars);
    });
    this.#gone = new Promise((resolve) => {
      this.child.once("exit", () => resolve()).once("error", () => resolve());
    });
    this.#ended = new Promise((resolve, reject) => {
      this.child.once("close", (code) => resolve(code));
      this.child.once("error", (error) => reject(fileError(kind.command, error)));
    });
    // Whoever closes it before its end does not ask how it ended.
    this.#ended.catch(() => undefined);
    signal.addEventListener("abort", this.#stop);
  }

  get #isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves at its proper end. */
  async finished(): Promise<void> {
    const code = await this.#ended;
    this.#signal.removeEventListener("abort", this.#stop);
    this.#signal.throwIfAborted();
    if (code !== 0 || this.#kind.fault?.test(this.#rateLimitedLog) === true) throw this.failure();
  }

  failure(): CliError {
    const lines = this.#rateLimitedLog.trim().split("\n");
    const said = lines.findLast((line) => this.#kind.fault?.test(line)) ?? lines.at(-1) ?? "";
    const cause = said === "" ? "it does not say why" : said;
    return new CliError(
      `${this.#kind.command} could not play the song: ${cause}`,
      "is there a sound device? Otherwise save the song with --output FILE",
    );
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    this.#stop();
    await this.#gone;
  }

  readonly #stop = (): void => {
    if (this.#isOver) return;
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), killAfterMs);
    void this.#gone.then(() => {
      clearTimeout(timer);
      // Programs that it has started may hold the other end for long.
      this.child.stderr?.destroy();
    });
  };
}

class PipePlayer implements Player {
  readonly command: string;
  readonly #process: Process;
  #wantsMore = true;

  constructor(kind: PlayerKind, options: PlayOptions) {
    this.command = kind.command;
    this.#process = new Process(kind, undefined, options);
    // A player that is gone is told by what `write` gives.
    this.#process.child.stdin!.on("error", () => (this.#wantsMore = false));
  }

  write(bytes: Uint8Array): Promise<boolean> {
    if (!this.#wantsMore) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#process.child.stdin!.write(bytes, (error) => resolve(this.#wantsMore && !error));
    });
  }

  async finish(): Promise<void> {
    const hadEnough = !this.#wantsMore;
    this.#process.child.stdin!.end();
    await this.#process.finished();
    // Nobody can tell these players to stop but the user, who then tells this program too.
    if (hadEnough) throw this.#process.failure();
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}

/** For players that want a file: one of its own, which is played when it is whole and removed afterwards. */
class FilePlayer implements Player {
  readonly command: string;
  readonly #kind: PlayerKind;
  readonly #options: PlayOptions;
  readonly #folder: string;
  readonly #file: OutputFile;
  #process: Process | undefined;

  private constructor(kind: PlayerKind, options: PlayOptions, folder: string, file: OutputFile) {
    this.command = kind.command;
    this.#kind = kind;
    this.#options = options;
    this.#folder = folder;
    this.#file = file;
  }

  static async open(kind: PlayerKind, options: PlayOptions): Promise<FilePlayer> {
    const folder = mkdtempSync(join(tmpdir(), "wavecache-play-"));
    return new FilePlayer(kind, options, folder, await OutputFile.create(join(folder, "song")));
  }

  write(bytes: Uint8Array): Promise<boolean> {
    this.#file.write(bytes);
    return Promise.resolve(true);
  }

  async finish(): Promise<void> {
    await this.#file.commit();
    this.#options.signal.throwIfAborted();
    this.#process = new Process(this.#kind, this.#file.path, this.#options);
    await this.#process.finished();
  }

  async close(): Promise<void> {
    await this.#process?.close();
    await this.#file.discard();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
