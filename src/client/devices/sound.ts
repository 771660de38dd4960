/** A sound as a device gets it: packets from `is_start` to `is_end`, and how late they are. */
import { audioPacketMs } from "../../wire/devices.ts";

export class DeviceSound {
  /** 1 for the first sound of a device. */
  readonly number: number;
  /** When its first packet came, of `performance.now()`. */
  readonly startedMs: number;
  readonly #leadMs: number;
  #packets = 0;
  #bytes = 0;
  #lastPacketMs: number;
  #worstLateMs = 0;

  /** `leadMs`: how far ahead of being heard packets are expected. */
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

  /** What has come so far takes this long to hear. */
  get audioMs(): number {
    return this.#packets * audioPacketMs;
  }

  get worstLateMs(): number {
    return this.#worstLateMs;
  }

  /** When everything that has come by now will have been heard, or the last packet came, whichever is later. */
  get silentFromMs(): number {
    return Math.max(this.startedMs + this.audioMs, this.#lastPacketMs);
  }

  /** Counts a packet that came at `nowMs` and returns by how much that is too late; 0 if it is in time. */
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
