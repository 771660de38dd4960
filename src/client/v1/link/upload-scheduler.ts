/**
 * Sends the audio of all uploads of one link: one turn each in a round robin, within the credit of the connection and
 * of the channel. It pauses while the socket is full.
 */
import { streamQuantumBytes, usualDataBytes } from "../../../base/limits/v1.ts";
import type { Crc32 } from "../../../wire/v1/crc32.ts";
import { SendCredit } from "../../../wire/v1/credit.ts";
import { dataHeadBytes, writeDataHead } from "../../../wire/v1/data.ts";
import type { Hello } from "../../../wire/v1/messages.ts";
import { streamHighWaterBytes, streamLowWaterBytes } from "../../limits.ts";
import type { Connection } from "../../transport/connection.ts";
import { RoundRobin, type RoundRobinEntry } from "./round-robin.ts";

/** An upload that sends audio on its channel. */
export interface AudioSender extends RoundRobinEntry {
  readonly channel: number;
  readonly credit: SendCredit;
  /** Takes the next bytes, 1 to `maxBytes`, which then count as sent; undefined if there are none. */
  takePiece(maxBytes: number): { offset: number; payload: Uint8Array } | undefined;
}

export interface UploadSchedulerHooks {
  /** Sends one frame; the scheduler may reuse the buffer afterwards. */
  sendFrame(frame: Uint8Array<ArrayBuffer>): void;
  onError(error: unknown): void;
}

export class UploadScheduler {
  readonly #connection: Connection;
  readonly #crc32: Crc32;
  readonly #hooks: UploadSchedulerHooks;
  readonly #roundRobin = new RoundRobin<AudioSender>();
  /** The credit of the connection. */
  readonly #credit: SendCredit;
  readonly #maxPayloadBytes: number;
  /** Each DATA message is built here, because sockets copy what they send. */
  readonly #message: Uint8Array<ArrayBuffer>;
  #isRunning = false;
  #isClosed = false;

  constructor(connection: Connection, server: Hello, crc32: Crc32, hooks: UploadSchedulerHooks) {
    this.#connection = connection;
    this.#crc32 = crc32;
    this.#hooks = hooks;
    this.#credit = new SendCredit(server.connectionCredit);
    this.#maxPayloadBytes = Math.min(server.maxDataBytes, usualDataBytes);
    this.#message = new Uint8Array(dataHeadBytes + this.#maxPayloadBytes);
  }

  /** Schedules a sender that has audio. A sender without credit is scheduled again when credit comes. */
  add(sender: AudioSender): void {
    if (sender.credit.bytes > 0) this.#roundRobin.add(sender);
    void this.#run();
  }

  remove(sender: AudioSender): void {
    this.#roundRobin.remove(sender);
  }

  /** Adds credit of the connection; false if the server grants more than the protocol allows. */
  grant(bytes: number): boolean {
    if (!this.#credit.grant(bytes)) return false;
    void this.#run();
    return true;
  }

  /** Stops sending. */
  close(): void {
    this.#isClosed = true;
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (!this.#isClosed) {
        if (this.#connection.bufferedBytes > streamHighWaterBytes) {
          await this.#connection.drained(streamLowWaterBytes);
        }
        const sender = this.#credit.bytes > 0 ? this.#roundRobin.next() : undefined;
        if (sender === undefined) return;
        this.#sendTurn(sender);
      }
    } catch (error) {
      this.#hooks.onError(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Sends a few messages of one sender back to back, so that the server can write them at once. */
  #sendTurn(sender: AudioSender): void {
    for (let turnBytes = streamQuantumBytes; turnBytes > 0 && !this.#isClosed;) {
      const maxBytes = Math.min(turnBytes, this.#credit.bytes, sender.credit.bytes, this.#maxPayloadBytes);
      if (maxBytes === 0) break;
      const piece = sender.takePiece(maxBytes);
      if (piece === undefined) return;
      this.#sendPiece(sender, piece.offset, piece.payload);
      turnBytes -= piece.payload.length;
    }
    if (sender.credit.bytes > 0) this.#roundRobin.add(sender);
  }

  #sendPiece(sender: AudioSender, offset: number, payload: Uint8Array): void {
    this.#credit.spend(payload.length);
    sender.credit.spend(payload.length);
    const crc = this.#crc32(payload);
    const headBytes = writeDataHead(this.#message, 0, sender.channel, offset, crc, payload.length);
    this.#message.set(payload, headBytes);
    this.#hooks.sendFrame(this.#message.subarray(0, headBytes + payload.length));
  }
}
