import { dirname } from "node:path";
import { toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundCacheBytes } from "../../../src/base/limits/sounds.ts";
import { SoundWriter, trimStoredSounds } from "../../../src/store/sounds/stored-sound.ts";

/** The first writer of a thread removes what a dead thread left behind. */
let isFirst = true;

/** Stores the packets of a sound if it can. A failure, such as a full disk, does not stop the playback: see `problem`. */
export class OptionalSoundWriter {
  /** Why the sound is not stored; undefined while nothing has failed. */
  problem: string | undefined;
  readonly #path: string;
  #writer: SoundWriter | undefined;

  /** `tag` tells writers of the same sound apart. */
  constructor(path: string, tag: number) {
    this.#path = path;
    this.#try(() => {
      trimStoredSounds(dirname(path), maxSoundCacheBytes, isFirst);
      isFirst = false;
      this.#writer = new SoundWriter(path, tag);
    });
  }

  append(packets: Uint8Array[]): void {
    this.#try(() => this.#writer?.append(packets));
  }

  /** If the source has changed, the packets may not match the key that they would be stored under. */
  finish(isSourceUnchanged: boolean): void {
    this.#try(() => {
      if (!isSourceUnchanged) throw new WavecacheError("SONG_CHANGED");
      this.#writer?.finish();
      trimStoredSounds(dirname(this.#path), maxSoundCacheBytes, false);
    });
  }

  /** Removes an unfinished file. */
  discard(): void {
    this.#writer?.discard();
    this.#writer = undefined;
  }

  #try(act: () => void): void {
    if (this.problem !== undefined) return;
    try {
      act();
    } catch (error) {
      this.problem = toWavecacheError(error).message;
      this.discard();
    }
  }
}
