/** A sound that a device receives: its packets, from `is_start` to `is_end`, and how late they are. */
import { audioPacketMs } from "../../wire/devices.ts";

export class DeviceSound {
  /** 1 for the first sound of a device. */
  readonly number: number;
  /** When its first packet arrived, of `performance.now()`. */
  readonly startedMs: number;
  readonly #leadMs: number;
  #packets = 0;
  #bytes = 0;
  #lastPacketMs: number;
  #worstLateMs = 0;

  /** `leadMs` is how early before its playback a packet is expected. */
  constructor(number: number, startedMs: number, leadMs: number) {
    this.number = number;
    this.startedMs = startedMs;
    this.#lastPacketMs = startedMs;
    this.#leadMs = leadMs;
  }

  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The duration of the packets so far. */
  get audioMs(): number {
    return this.#packets * audioPacketMs;
  }

  get worstLateMs(): number {
    return this.#worstLateMs;
  }

  /** When playback of the packets so far ends, but not before the last one has arrived. */
  get silentFromMs(): number {
    return Math.max(this.startedMs + this.audioMs, this.#lastPacketMs);
  }

  /** Counts a packet that arrives at `nowMs`, and returns how late it is; 0 if it is in time. */
  add(bytes: number, nowMs: number): number {
    const dueMs = this.startedMs + Math.max(0, this.audioMs - this.#leadMs);
    const lateMs = Math.max(0, nowMs - dueMs);
    this.#packets++;
    this.#bytes += bytes;
    this.#lastPacketMs = nowMs;
    this.#worstLateMs = Math.max(this.#worstLateMs, lateMs);
    return lateMs;
  }
}
