/** Where the sounds of a device are heard, one at a time, as they come: a player of this machine. */
import { encodeWavHeader } from "../../codec/wav.ts";
import { soundSampleRate } from "../../client/devices/sound-decoder.ts";
import { MiB } from "../../base/limits/units.ts";
import { CliError } from "../kit/failures.ts";
import { isThere, openPlayer, type Player } from "./player.ts";
import { choosePlayer } from "./players.ts";

/** Sound that waits for the player; servers send it about as fast as it is heard. */
const maxWaitingBytes = 64 * MiB;

/** The command that sounds would be played with; undefined if there is none. */
export function playerCommand(): string | undefined {
  return choosePlayer({ format: "audio/wav", seekSeconds: undefined }, isThere)?.command;
}

/** One sound and the process that plays it. */
class Playing {
  readonly #end = new AbortController();
  readonly #onFailure: (error: unknown) => void;
  #player: Player | undefined;
  #work: Promise<void>;
  #waitingBytes = 0;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
    this.#work = this.#step(async () => {
      const head = encodeWavHeader(soundSampleRate, 1, undefined);
      this.#player = await openPlayer(head, { seekSeconds: undefined, signal: this.#end.signal });
      await this.#player.write(head);
    });
  }

  write(samples: Uint8Array): void {
    this.#waitingBytes += samples.length;
    if (this.#waitingBytes > maxWaitingBytes) {
      this.#fail(new CliError("the player does not take the sound", "see --no-play"));
      return;
    }
    this.#then(async () => {
      await this.#player?.write(samples);
      this.#waitingBytes -= samples.length;
    });
  }

  /** What has been written is still heard. */
  finish(): void {
    this.#then(async () => this.#player?.finish());
  }

  /** Silence, now. */
  stop(): void {
    this.#end.abort();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#work;
    await this.#player?.close();
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(() => this.#step(step));
  }

  async #step(step: () => Promise<void>): Promise<void> {
    if (this.#end.signal.aborted) return;
    try {
      await step();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A player that is stopped says that it failed, too. */
  #fail(error: unknown): void {
    if (this.#end.signal.aborted) return;
    this.stop();
    this.#onFailure(error);
  }
}

export class SoundPlayer {
  readonly #onFailure: (error: unknown) => void;
  readonly #open = new Set<Playing>();
  #playing: Playing | undefined;
  #failed = false;

  /** `onFailure` is told once; there is silence after that. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Whatever is still heard gives way to the sound that begins. */
  begin(): void {
    this.stop();
    if (this.#failed) return;
    const playing = new Playing((error) => {
      if (!this.#failed) this.#onFailure(error);
      this.#failed = true;
    });
    this.#playing = playing;
    this.#open.add(playing);
  }

  /** 16-bit samples, 48 kHz mono. */
  write(samples: Uint8Array): void {
    this.#playing?.write(samples);
  }

  /** The sound is whole; it is heard to its end. */
  end(): void {
    this.#playing?.finish();
  }

  stop(): void {
    const playing = this.#playing;
    this.#playing = undefined;
    if (playing !== undefined) void playing.close().then(() => this.#open.delete(playing));
  }

  /** Ends all players. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(Array.from(this.#open, (playing) => playing.close()));
  }
}
