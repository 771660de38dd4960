/**
 * One sound on its way to one device, no faster than it is heard: packet n is due n packets' time after the first, less
 * the lead. A device that does not take them costs the packets that its stream holds, and hears the rest later; what
 * it missed is not sent faster than the lead allows. `is_end` goes out when the sound is over, or is stopped.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { stallTimeoutMs } from "../../base/limits/connections.ts";
import { deviceAudioWaitMs } from "../../base/limits/devices.ts";
import { type AudioPacket, audioPacketMs } from "../../wire/devices.ts";
import type { Sound, SoundSource } from "../sounds/sound.ts";
import type { Ticks } from "../../base/ticker.ts";

/** The audio stream of a device. */
export interface AudioSink {
  /** False asks to wait for `drained`; the packet is taken either way. */
  send(packet: AudioPacket): boolean;
  end(error?: WavecacheError): void;
}

export interface PlaybackSettings {
  sounds: SoundSource;
  ticker: Ticks;
  /** How far ahead of what is heard packets are sent. */
  leadMs: number;
  /** It is over without being stopped; `error` where the sound could not be made or the device did not listen. */
  ended(error: WavecacheError | undefined): void;
}

/** What may come at once beyond the lead before the sound is taken for one that was held up. */
const toleranceMs = 500;

const noData = new Uint8Array(0);

export class Playback {
  /** Of the sound: 0 to 5. */
  readonly mode: number;
  readonly #settings: PlaybackSettings;
  readonly #pump = () => this.#sendDue();
  #sink: AudioSink | undefined;
  #sound: Sound | undefined;
  /** When it began to be asked for, or to wait for the device; undefined while it goes on. */
  #heldSince: number | undefined;
  #startedAt = 0;
  #next = 0;
  #blocked = false;
  #awaitsPackets = false;
  #over = false;

  constructor(mode: number, settings: PlaybackSettings) {
    this.mode = mode;
    this.#settings = settings;
    this.#heldSince = settings.ticker.now();
  }

  get sink(): AudioSink | undefined {
    return this.#sink;
  }

  /** Comes first; without a sink the sound waits until there is one. */
  begin(sink: AudioSink | undefined): void {
    this.#sink = sink;
    this.#settings.ticker.add(this.#pump);
    void this.#open();
  }

  /** The device listens now. */
  attach(sink: AudioSink): void {
    this.#sink = sink;
    this.#sendDue();
  }

  drained(): void {
    this.#blocked = false;
    this.#heldSince = undefined;
    this.#sendDue();
  }

  /** Ends it where it is. */
  stop(): void {
    if (this.#over) return;
    if (this.#next > 0) this.#sink?.send({ is_start: false, is_end: true, data: noData });
    this.#release();
  }

  /** Ends it without a word: nobody listens any more. */
  drop(): void {
    if (!this.#over) this.#release();
  }

  async #open(): Promise<void> {
    try {
      const sound = await this.#settings.sounds.open(this.mode);
      if (this.#over) return sound.release();
      this.#sound = sound;
      if (sound.isComplete && sound.packets.length === 0) this.#finish(undefined);
      else this.#sendDue();
    } catch (error) {
      this.#finish(toWavecacheError(error));
    }
  }

  #sendDue(): void {
    if (this.#over) return;
    const now = this.#settings.ticker.now();
    if (this.#isHeld(now)) return;
    if (this.#next === 0) this.#startedAt = now;
    this.#slipTo(now);
    const sound = this.#sound!;
    const due = Math.min(this.#dueBy(now), sound.packets.length);
    while (this.#next < due && !this.#blocked) this.#send(sound.packets[this.#next]!, now);
    if (this.#next < sound.packets.length) return;
    if (!sound.isComplete) void this.#awaitPackets(sound);
    else if (now >= this.#startedAt + this.#next * audioPacketMs) this.#finish(undefined);
  }

  /** Whether it cannot go on for now; for too long is its end. */
  #isHeld(now: number): boolean {
    if (this.#sound === undefined) return true;
    if (this.#sink !== undefined && !this.#blocked) return false;
    const waited = now - (this.#heldSince ?? now);
    if (this.#sink === undefined && waited > deviceAudioWaitMs) {
      this.#finish(new WavecacheError("DEVICE_AWAY", "its audio stream did not open"));
    } else if (this.#blocked && waited > stallTimeoutMs) {
      this.#sink?.end(new WavecacheError("PEER_STALLED"));
      this.#finish(new WavecacheError("PEER_STALLED"));
    }
    return true;
  }

  /** Packets that are to have gone by then. */
  #dueBy(now: number): number {
    return Math.floor((now - this.#startedAt + this.#settings.leadMs) / audioPacketMs) + 1;
  }

  /** After it was held up the device has heard nothing meanwhile: time goes on from where it is. */
  #slipTo(now: number): void {
    const behindMs = (this.#dueBy(now) - 1 - this.#next) * audioPacketMs - this.#settings.leadMs;
    if (behindMs > toleranceMs) this.#startedAt += behindMs;
  }

  #send(data: Uint8Array, now: number): void {
    const takesMore = this.#sink!.send({ is_start: this.#next === 0, is_end: false, data });
    this.#next += 1;
    if (takesMore) return;
    this.#blocked = true;
    this.#heldSince = now;
  }

  async #awaitPackets(sound: Sound): Promise<void> {
    if (this.#awaitsPackets) return;
    this.#awaitsPackets = true;
    try {
      await sound.beyond(this.#next);
      this.#awaitsPackets = false;
      this.#sendDue();
    } catch (error) {
      this.#finish(toWavecacheError(error));
    }
  }

  #finish(error: WavecacheError | undefined): void {
    if (this.#over) return;
    this.stop();
    this.#settings.ended(error);
  }

  #release(): void {
    this.#over = true;
    this.#settings.ticker.remove(this.#pump);
    this.#sound?.release();
    this.#sound = undefined;
  }
}
