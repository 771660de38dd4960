/** Where a song goes as it comes: a file, standard output, a player, or a file and a player at once. */
import { existsSync } from "node:fs";
import { sniffBytes } from "../../codec/sniff.ts";
import { concatBytes } from "../../client/concat-bytes.ts";
import { usageError } from "../kit/failures.ts";
import { OutputFile } from "../kit/files.ts";
import { openPlayer, type Player, type PlayOptions } from "./player.ts";
import type { Terminal } from "../kit/terminal.ts";

export interface SongSink {
  /** Whether a part of a song is better than none: what is heard is heard. */
  readonly takesParts: boolean;
  /** Resolves when it has room for more. False: it wants no more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** All has been written: resolves when all is done with it. */
  finish(): Promise<void>;
  /** Frees what is left, and takes back what is not finished. */
  close(): Promise<void>;
}

export async function fileSink(path: string): Promise<SongSink> {
  const file = await OutputFile.create(path);
  return {
    takesParts: false,
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
    takesParts: true,
    write: async (bytes) => {
      await terminal.write(bytes);
      return true;
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** A player that is chosen by the first bytes of the song. */
export class PlayerSink implements SongSink {
  readonly takesParts = true;
  readonly #options: PlayOptions;
  readonly #onPlaying: (command: string) => void;
  #head: Uint8Array = new Uint8Array(0);
  #player: Player | undefined;

  /** `onPlaying` is told which player it is. */
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

/** The end of a song's name, in the current folder; throws a CliError rather than write over a file. */
export function pathFromName(name: string, mayReplace: boolean): string {
  const path = name.split(/[/\\]/).at(-1) ?? "";
  if (path === "" || path === "." || path === "..") {
    throw usageError(`no file can be called like the song "${name}"`, "give one with --output FILE");
  }
  if (!mayReplace && existsSync(path)) {
    throw usageError(
      `there is a file already: ${path}`,
      "write over it with --force, or give another with --output FILE",
    );
  }
  return path;
}
