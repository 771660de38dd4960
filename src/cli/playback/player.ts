/** A running player: it takes audio as it arrives, and finishes when the audio has been heard. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sniffAudioFormat } from "../../codec/sniff.ts";
import { CliError } from "../kit/failures.ts";
import { OutputFile } from "../kit/output-file.ts";
import { choosePlayer, isStreamable, type PlayerKind, playerKinds } from "./player-kinds.ts";
import { PlayerProcess, type PlayOptions } from "./player-process.ts";

const installHint = "install ffmpeg (for ffplay) or mpv, or save the song with --output FILE";

/** Throws a CliError if no player is installed, whatever it can play. */
export function refuseWithoutPlayer(): void {
  if (!playerKinds.some(({ command }) => isInstalled(command)))
    throw new CliError("no player is installed", installHint);
}

export function isInstalled(command: string): boolean {
  return Bun.which(command) !== null;
}

export interface Player {
  readonly command: string;
  /** Resolves when there is room for more. False after the player has ended. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Call after the last `write`. Resolves when the audio has been heard; throws a CliError if the player failed. */
  finish(): Promise<void>;
  /** Stops the player and removes its temporary files. */
  close(): Promise<void>;
}

/** Chooses a player by the first bytes of the song; throws a CliError if none can play it as requested. */
export async function openPlayer(head: Uint8Array, options: PlayOptions): Promise<Player> {
  const format = sniffAudioFormat(head);
  const kind = choosePlayer({ format, seekSeconds: options.seekSeconds }, isInstalled);
  if (kind === undefined) {
    const seek = options.seekSeconds === undefined ? "" : " with --seek";
    throw new CliError(`no player here can play ${format ?? "this"}${seek}`, installHint);
  }
  const streams = kind.takesPipe && isStreamable(head, format);
  return streams ? new PipePlayer(kind, options) : await FilePlayer.open(kind, options);
}

class PipePlayer implements Player {
  readonly command: string;
  readonly #process: PlayerProcess;
  #wantsMore = true;

  constructor(kind: PlayerKind, options: PlayOptions) {
    this.command = kind.command;
    this.#process = new PlayerProcess(kind, undefined, options);
    this.#process.onPipeError(() => (this.#wantsMore = false));
  }

  async write(bytes: Uint8Array): Promise<boolean> {
    if (!this.#wantsMore) return false;
    const error = await this.#process.write(bytes);
    return this.#wantsMore && !error;
  }

  async finish(): Promise<void> {
    const endedEarly = !this.#wantsMore;
    this.#process.endPipe();
    await this.#process.finished();
    // These players run without controls, so an early end is a failure even with exit code 0.
    if (endedEarly) throw this.#process.failure();
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}

/** For players that cannot read a pipe: plays a temporary file once the song is complete. */
class FilePlayer implements Player {
  readonly command: string;
  readonly #kind: PlayerKind;
  readonly #options: PlayOptions;
  readonly #folder: string;
  readonly #file: OutputFile;
  #process: PlayerProcess | undefined;

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
    this.#process = new PlayerProcess(this.#kind, this.#file.path, this.#options);
    await this.#process.finished();
  }

  async close(): Promise<void> {
    await this.#process?.close();
    await this.#file.discard();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
