/**
 * Sends one sound to one device, paced to real time: packet n is due n packet lengths after the first one, less the
 * lead. A slow device gets backpressure, so that only the packets in its stream take memory, and hears the rest later.
 * After a pause the schedule shifts, or the device would get everything it missed at once. The end packet goes out when
 * the sound is over or is stopped.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { stallTimeoutMs } from "../../base/limits/connections.ts";
import { deviceAudioWaitMs } from "../../base/limits/devices.ts";
import { audioPacketMs } from "../../wire/devices.ts";
import type { Sound, SoundSource } from "../sounds/sound.ts";
import type { Ticks } from "../../base/ticker.ts";
import type { AudioSink } from "./device-streams.ts";

export interface PlaybackSettings {
  sounds: SoundSource;
  ticker: Ticks;
  /** How far packets are sent ahead of playback. */
  leadMs: number;
  /** The device gets the first packet. */
  onFirstPacket(): void;
  /** The sound is over, in whatever way. */
  onOver(error: WavecacheError | undefined): void;
  /** The sound is over without `stop`; with an error if it could not be made or the device did not take it. */
  onEnd(error: WavecacheError | undefined): void;
}

/** A playback that is further behind its schedule than this shifts the schedule instead of catching up. */
const maxCatchUpMs = 500;

const noData = new Uint8Array(0);

export class Playback {
  /** The mode of the sound, 0 to 5. */
  readonly mode: number;
  /** Resolves when the sound has its first packet or is over; with an error if it cannot be made. */
  readonly begun: Promise<WavecacheError | undefined>;
  readonly #begin: (error: WavecacheError | undefined) => void;
  readonly #settings: PlaybackSettings;
  readonly #pump = () => this.#sendDue();
  #sink: AudioSink | undefined;
  #sound: Sound | undefined;
  /** Since when the playback waits for its sound or its device; undefined while it sends. */
  #waitingSince: number | undefined;
  #startedAt = 0;
  #next = 0;
  #isBlocked = false;
  #isAwaitingPackets = false;
  #isOver = false;
  #error: WavecacheError | undefined;

  constructor(mode: number, settings: PlaybackSettings) {
    this.mode = mode;
    const { promise, resolve } = Promise.withResolvers<WavecacheError | undefined>();
    this.begun = promise;
    this.#begin = resolve;
    this.#settings = settings;
    this.#waitingSince = settings.ticker.now();
  }

  get sink(): AudioSink | undefined {
    return this.#sink;
  }

  /** Call it first. Without a sink the sound waits for `attach`. */
  start(sink: AudioSink | undefined): void {
    this.#sink = sink;
    this.#settings.ticker.add(this.#pump);
    void this.#open();
  }

  /** The device has opened its audio stream. */
  attach(sink: AudioSink): void {
    this.#sink = sink;
    this.#sendDue();
  }

  /** The device takes packets again. */
  resume(): void {
    this.#isBlocked = false;
    this.#waitingSince = undefined;
    this.#sendDue();
  }

  /** Ends the sound, with an end packet. */
  stop(): void {
    if (this.#isOver) return;
    if (this.#next > 0) this.#sink?.send({ isStart: false, isEnd: true, data: noData });
    this.#release();
  }

  /** Ends the sound without an end packet, as the audio stream is gone. */
  drop(): void {
    if (!this.#isOver) this.#release();
  }

  async #open(): Promise<void> {
    try {
      const sound = await this.#settings.sounds.open(this.mode);
      if (this.#isOver) return sound.release();
      this.#sound = sound;
      if (sound.isComplete && sound.packets.length === 0) this.#finish(undefined);
      else this.#sendDue();
      await sound.waitBeyond(0);
      this.#begin(undefined);
    } catch (error) {
      this.#finish(toWavecacheError(error));
    }
  }

  #sendDue(): void {
    if (this.#isOver) return;
    const now = this.#settings.ticker.now();
    if (this.#isWaiting(now)) return;
    if (this.#next === 0) this.#startedAt = now;
    this.#shiftSchedule(now);
    const sound = this.#sound!;
    const due = Math.min(this.#dueBy(now), sound.packets.length);
    while (this.#next < due && !this.#isBlocked) this.#send(sound.packets[this.#next]!, now);
    if (this.#next < sound.packets.length) return;
    if (!sound.isComplete) void this.#awaitPackets(sound);
    else if (now >= this.#startedAt + this.#next * audioPacketMs) this.#finish(undefined);
  }

  /** Whether the sound or the device is missing. Ends the playback if the device is missing for too long. */
  #isWaiting(now: number): boolean {
    if (this.#sound === undefined) return true;
    if (this.#sink !== undefined && !this.#isBlocked) return false;
    const waited = now - (this.#waitingSince ?? now);
    if (this.#sink === undefined && waited > deviceAudioWaitMs) {
      this.#finish(new WavecacheError("DEVICE_AWAY", "its audio stream did not open"));
    } else if (this.#isBlocked && waited > stallTimeoutMs) {
      this.#sink?.end(new WavecacheError("PEER_STALLED"));
      this.#finish(new WavecacheError("PEER_STALLED"));
    }
    return true;
  }

  /** Number of packets that are due by then. */
  #dueBy(now: number): number {
    return Math.floor((now - this.#startedAt + this.#settings.leadMs) / audioPacketMs) + 1;
  }

  /** Shifts the schedule after a pause, in which the device has heard nothing. */
  #shiftSchedule(now: number): void {
    const behindMs = (this.#dueBy(now) - 1 - this.#next) * audioPacketMs - this.#settings.leadMs;
    if (behindMs > maxCatchUpMs) this.#startedAt += behindMs;
  }

  #send(data: Uint8Array, now: number): void {
    if (this.#next === 0) this.#settings.onFirstPacket();
    const hasRoom = this.#sink!.send({ isStart: this.#next === 0, isEnd: false, data });
    this.#next += 1;
    if (hasRoom) return;
    this.#isBlocked = true;
    this.#waitingSince = now;
  }

  async #awaitPackets(sound: Sound): Promise<void> {
    if (this.#isAwaitingPackets) return;
    this.#isAwaitingPackets = true;
    try {
      await sound.waitBeyond(this.#next);
      this.#isAwaitingPackets = false;
      this.#sendDue();
    } catch (error) {
      this.#finish(toWavecacheError(error));
    }
  }

  #finish(error: WavecacheError | undefined): void {
    if (this.#isOver) return;
    this.#begin(error);
    this.#error = error;
    this.stop();
    this.#settings.onEnd(error);
  }

  #release(): void {
    this.#isOver = true;
    this.#begin(undefined);
    this.#settings.ticker.remove(this.#pump);
    this.#sound?.release();
    this.#sound = undefined;
    this.#settings.onOver(this.#error);
  }
}
