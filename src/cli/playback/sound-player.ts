/** Plays the sounds of a device while they arrive, one at a time, with an installed player. */
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { soundSampleRate } from "../../client/devices/sound-decoder.ts";
import { MiB } from "../../base/limits/units.ts";
import { CliError } from "../kit/failures.ts";
import { isInstalled, openPlayer, type Player } from "./player.ts";
import { choosePlayer } from "./player-kinds.ts";

/** Audio queued for the player. Servers pace sounds to real time, so a longer queue means that the player is stuck. */
const maxQueuedBytes = 64 * MiB;

/** The command of the player for sounds; undefined if none is installed. */
export function playerCommand(): string | undefined {
  return choosePlayer({ format: "audio/wav", seekSeconds: undefined }, isInstalled)?.command;
}

/** One sound and the process that plays it. */
class Playing {
  readonly #end = new AbortController();
  readonly #onFailure: (error: unknown) => void;
  #player: Player | undefined;
  #work: Promise<void>;
  #queuedBytes = 0;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
    this.#work = this.#run(async () => {
      const head = encodeWavHeader(soundSampleRate, 1, undefined);
      this.#player = await openPlayer(head, { seekSeconds: undefined, signal: this.#end.signal });
      await this.#player.write(head);
    });
  }

  write(samples: Uint8Array): void {
    this.#queuedBytes += samples.length;
    if (this.#queuedBytes > maxQueuedBytes) {
      this.#fail(new CliError("the player does not accept the sound", "see --no-play"));
      return;
    }
    this.#enqueue(async () => {
      await this.#player?.write(samples);
      this.#queuedBytes -= samples.length;
    });
  }

  /** Ends the sound; what is queued still plays. */
  finish(): void {
    this.#enqueue(async () => this.#player?.finish());
  }

  /** Stops the player at once. */
  stop(): void {
    this.#end.abort();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#work;
    await this.#player?.close();
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(() => this.#run(step));
  }

  async #run(step: () => Promise<void>): Promise<void> {
    if (this.#end.signal.aborted) return;
    try {
      await step();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ignores errors after `stop`: a stopped player exits with a failure. */
  #fail(error: unknown): void {
    if (this.#end.signal.aborted) return;
    this.stop();
    this.#onFailure(error);
  }
}

export class SoundPlayer {
  readonly #onFailure: (error: unknown) => void;
  /** Players that still run; a stopped one needs a moment to exit. */
  readonly #open = new Set<Playing>();
  #playing: Playing | undefined;
  #failed = false;

  /** Calls `onFailure` once; after that, sounds are not played. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Starts a sound and stops the previous one. */
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

  /** `samples`: 16-bit little-endian, 48 kHz, mono. */
  write(samples: Uint8Array): void {
    this.#playing?.write(samples);
  }

  /** The sound is complete; it plays to its end. */
  end(): void {
    this.#playing?.finish();
  }

  stop(): void {
    const playing = this.#playing;
    this.#playing = undefined;
    if (playing !== undefined) void playing.close().then(() => this.#open.delete(playing));
  }

  /** Stops all players and waits for their exit. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(Array.from(this.#open, (playing) => playing.close()));
  }
}
