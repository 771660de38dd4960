/** One attempt to upload a stream: reads, hashes and sends it from the server's offset, then finishes it. */
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { Ack, End, Opened } from "../../../wire/v1/messages.ts";
import type { StreamDigests } from "../../digests.ts";
import { finishTimeoutMs } from "../../limits.ts";
import { Call, unexpectedMessage } from "../link/call.ts";
import type { ChannelMessage } from "../link/channel-table.ts";
import type { Link } from "../link/link.ts";
import type { AudioSender } from "../link/upload-scheduler.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";

/** The state of an upload that all its attempts share. */
export interface WriteState {
  replay: ReplayBuffer;
  digests: StreamDigests;
  discardsUpload(): boolean;
  /** Throws if the server's stream cannot be the one to upload. */
  onOpened(message: Opened): void;
  /** More of the bytes that the server has are hashed, and need not be kept. */
  onHashed(): void;
  /** The bytes that the server has are hashed, if they can be read. Throws if they are others. */
  onCaughtUp(message: Opened): void;
  /** Throws if the source has changed since its bytes were sent. */
  refuseChanged(): Promise<void>;
  onAck(ack: Ack): void;
}

/** Resolves with the END. */
export class WriteCall extends Call<End> implements AudioSender {
  lastRound = 0;
  readonly #state: WriteState;
  #credit: SendCredit | undefined;
  /** The part of the current block that is not sent yet. */
  #staged: Uint8Array = new Uint8Array(0);
  /** The offset of the next byte to send. */
  #offset = 0;
  /** Resolves the wait for the current block to be sent. */
  #onSent: (() => void) | undefined;

  constructor(link: Link, state: WriteState) {
    super(link);
    this.#state = state;
  }

  get credit(): SendCredit {
    this.#credit ??= this.link.creditOf(this.channel);
    return this.#credit;
  }

  takePiece(maxBytes: number): { offset: number; payload: Uint8Array } | undefined {
    if (this.#staged.length === 0) return undefined;
    const payload = this.#staged.subarray(0, maxBytes);
    const offset = this.#offset;
    this.#staged = this.#staged.subarray(payload.length);
    this.#offset += payload.length;
    if (this.#staged.length === 0) this.#onSent?.();
    return { offset, payload };
  }

  protected override get discardsUpload(): boolean {
    return this.#state.discardsUpload();
  }

  protected override handle(message: ChannelMessage): void {
    if (message.type === "ACK") this.#state.onAck(message);
    else if (message.type === "END") this.succeed(message);
    else if (message.type === "OPENED") this.#begin(message);
    else throw unexpectedMessage(message);
  }

  protected override onEnd(): void {
    this.#onSent?.();
  }

  #begin(message: Opened): void {
    this.expectWithin(undefined);
    this.#state.onOpened(message);
    this.#offset = message.offset;
    this.#sendAll(message).catch((error: unknown) => this.abandon(error));
  }

  /** Compares what the server has, sends block after block, then FINISH. */
  async #sendAll(opened: Opened): Promise<void> {
    await this.#catchUp();
    if (this.isOver) return;
    this.#state.onCaughtUp(opened);
    while (!this.isOver) {
      const block = await this.#state.replay.read(this.#offset);
      if (this.isOver) return;
      if (block === undefined) break;
      this.#hash(block);
      this.#staged = block;
      const sent = new Promise<void>((resolve) => (this.#onSent = resolve));
      this.link.schedule(this);
      await sent;
    }
    await this.#state.refuseChanged();
    if (this.isOver) return;
    this.link.send({ type: "FINISH", channel: this.channel, size: this.#offset, sha256: this.#sha256 });
    this.expectWithin(finishTimeoutMs);
  }

  /** Of the whole stream; undefined if it is unknown, or if the server's revision cannot compare it. */
  get #sha256(): string | undefined {
    const { digests } = this.#state;
    if (this.link.server.revision < 2 || digests.positionBytes !== this.#offset) return undefined;
    return digests.values().sha256;
  }

  /** Hashes the bytes that the server has from an earlier upload, which this one has not read yet. */
  async #catchUp(): Promise<void> {
    const { replay, digests } = this.#state;
    if (replay.firstOffset > digests.positionBytes) return;
    while (!this.isOver && digests.positionBytes < this.#offset) {
      const at = digests.positionBytes;
      const block = await replay.read(at);
      if (block === undefined || this.isOver) return;
      digests.update(at, block.subarray(0, this.#offset - at));
      this.#state.onHashed();
    }
  }

  /** Skips a stream whose beginning is not here to be hashed. */
  #hash(block: Uint8Array): void {
    const { digests } = this.#state;
    if (this.#offset <= digests.positionBytes) digests.update(this.#offset, block);
  }
}
