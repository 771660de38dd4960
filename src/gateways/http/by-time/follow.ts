/** The body of a period whose end is to come: what there is, and then what the device sends, as it is written. */
import { WavecacheError } from "../../../base/errors.ts";
import { audioPieceBytes, audioStallSeconds } from "../../../base/limits/audio-http.ts";
import { followLookMs } from "../../../base/limits/recordings.ts";
import { encodePcmHeader } from "../../../codec/wav/rf64.ts";
import { encodeWavHeader } from "../../../codec/wav/wav.ts";
import type { FollowedPeriod } from "../../../engine/recordings/by-time/followed-period.ts";
import {
  PeriodAudio,
  type PeriodFormat,
  type WavOpener,
} from "../../../engine/recordings/by-time/period-audio.ts";
import type { GapRule } from "../../../engine/recordings/by-time/plan.ts";
import type { HttpConnection } from "../../../listen/route.ts";
import type { BodySource } from "../audio/body.ts";

export class PeriodBody implements BodySource {
  readonly #period: FollowedPeriod;
  readonly #open: WavOpener;
  readonly #connection: HttpConnection;
  /** Not sent yet. */
  #header: Uint8Array<ArrayBuffer> | undefined;
  /** The part that is being sent, and how far. */
  #audio: PeriodAudio | undefined;
  #offset = 0;
  #hasLooked = false;
  #isOver = false;
  /** Ends the wait for more audio. */
  #wake: () => void = () => {};

  constructor(
    period: FollowedPeriod,
    header: Uint8Array<ArrayBuffer>,
    open: WavOpener,
    connection: HttpConnection,
  ) {
    this.#period = period;
    this.#header = header.length === 0 ? undefined : header;
    this.#open = open;
    this.#connection = connection;
    connection.principal.ended.addEventListener("abort", this.#onEnded);
  }

  /** The wait for more audio must not outlast the right to it. */
  readonly #onEnded = () => this.#wake();

  /** Undefined at the end of the period. Rejects with RECORDING_GAP, FORMAT_CHANGES, UNAUTHENTICATED. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (!this.#isOver) {
      if (this.#connection.principal.ended.aborted) throw new WavecacheError("UNAUTHENTICATED");
      if (this.#hasLooked && this.#header !== undefined) return this.#takeHeader();
      if (this.#audio !== undefined && this.#offset < this.#audio.size) return await this.#read(this.#audio);
      if (this.#period.isOver) return undefined;
      await this.#look();
    }
    return undefined;
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.principal.ended.removeEventListener("abort", this.#onEnded);
    this.#period.close();
    void this.#audio?.close();
    this.#wake();
  }

  #takeHeader(): Uint8Array<ArrayBuffer> | undefined {
    const header = this.#header;
    this.#header = undefined;
    return header;
  }

  async #read(audio: PeriodAudio): Promise<Uint8Array<ArrayBuffer>> {
    this.#connection.setIdleSeconds(audioStallSeconds);
    const length = Math.min(audio.size - this.#offset, audioPieceBytes);
    const bytes = await audio.read(this.#offset, length);
    this.#offset += length;
    return bytes;
  }

  /** Looks for the next part, the first time at once: an error can still be the answer then. */
  async #look(): Promise<void> {
    // Nothing is sent during the wait, which has no end of its own.
    this.#connection.keepOpen();
    if (this.#hasLooked) await this.#wait();
    if (this.#isOver) return;
    const plan = await this.#period.next();
    this.#hasLooked = true;
    if (plan === undefined) return;
    await this.#audio?.close();
    this.#audio = new PeriodAudio(plan, "pcm", this.#open);
    this.#offset = plan.first * 2 * plan.channels;
    // Nobody closes it any more.
    if (this.#isOver) await this.#audio.close();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, followLookMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Without its gaps nobody knows the length of the audio before its end. */
export function headerOfFollowed(
  { format: { sampleRate, channels }, samples }: FollowedPeriod,
  format: PeriodFormat,
  gaps: GapRule,
): Uint8Array<ArrayBuffer> {
  if (format === "pcm") return new Uint8Array(0);
  if (gaps === "skip") return encodeWavHeader(sampleRate, channels, undefined);
  return encodePcmHeader(sampleRate, channels, samples * 2 * channels);
}
