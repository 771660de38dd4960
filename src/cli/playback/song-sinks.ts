/** Destinations of a song while it arrives: a file, stdout, or a player. A song may go to several at once. */
import { existsSync } from "node:fs";
import { sniffBytes } from "../../codec/sniff.ts";
import { concatBytes } from "../../client/concat-bytes.ts";
import { usageError } from "../kit/failures.ts";
import { OutputFile } from "../kit/output-file.ts";
import type { Terminal } from "../kit/terminal.ts";
import { openPlayer, type Player } from "./player.ts";
import type { PlayOptions } from "./player-process.ts";

export interface SongSink {
  /** Whether to `finish` an incomplete song; otherwise `close` discards it. */
  readonly keepsPartial: boolean;
  /** Resolves when there is room for more. False if the sink accepts no more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Call after the last `write`. Resolves when the file is complete or the song has been heard. */
  finish(): Promise<void>;
  /** Releases resources, and removes the file of an unfinished song. */
  close(): Promise<void>;
}

export async function fileSink(path: string): Promise<SongSink> {
  const file = await OutputFile.create(path);
  return {
    keepsPartial: false,
    write: (bytes) => {
      file.write(bytes);
      return Promise.resolve(true);
    },
    finish: () => file.commit(),
    close: () => file.discard(),
  };
}

export function standardOutputSink(terminal: Terminal): SongSink {
  return {
    keepsPartial: true,
    write: async (bytes) => {
      await terminal.write(bytes);
      return true;
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** Buffers the first bytes of the song, which determine the player. */
export class PlayerSink implements SongSink {
  readonly keepsPartial = true;
  readonly #options: PlayOptions;
  readonly #onPlaying: (command: string) => void;
  #head: Uint8Array = new Uint8Array(0);
  #player: Player | undefined;

  /** `onPlaying` gets the command of the chosen player. */
  constructor(options: PlayOptions, onPlaying: (command: string) => void) {
    this.#options = options;
    this.#onPlaying = onPlaying;
  }

  async write(bytes: Uint8Array): Promise<boolean> {
    if (this.#player !== undefined) return await this.#player.write(bytes);
    this.#head = concatBytes(this.#head, bytes);
    return this.#head.length < sniffBytes || (await this.#begin());
  }

  async finish(): Promise<void> {
    if (this.#player === undefined && this.#head.length > 0) await this.#begin();
    await this.#player?.finish();
  }

  async close(): Promise<void> {
    await this.#player?.close();
  }

  async #begin(): Promise<boolean> {
    this.#player = await openPlayer(this.#head, this.#options);
    this.#onPlaying(this.#player.command);
    return await this.#player.write(this.#head);
  }
}

/** The last part of a song's name, as a file in the current folder. Throws a CliError if that file exists. */
export function outputPathOf(name: string, mayReplace: boolean): string {
  const path = name.split(/[/\\]/).at(-1) ?? "";
  if (path === "" || path === "." || path === "..") {
    throw usageError(`no file can be called like the song "${name}"`, "give one with --output FILE");
  }
  if (!mayReplace && existsSync(path)) {
    throw usageError(
      `there is a file already: ${path}`,
      "overwrite it with --force, or give another with --output FILE",
    );
  }
  return path;
}
