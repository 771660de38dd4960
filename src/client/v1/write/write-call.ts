/** One attempt to write a stream: reads, hashes and sends it from where the server says, and finishes it. */
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { Ack, End, Opened } from "../../../wire/v1/messages.ts";
import type { StreamDigests } from "../../digests.ts";
import { finishTimeoutMs } from "../../limits.ts";
import { Call, unexpected } from "../link/call.ts";
import type { AudioSender, ChannelMessage, Link } from "../link/link.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";

/** What lasts longer than an attempt. */
export interface WriteState {
  replay: ReplayBuffer;
  digests: StreamDigests;
  discards(): boolean;
  /** Throws if the server's stream cannot be this one. */
  opened(message: Opened): void;
  progressed(ack: Ack): void;
}

/** Resolves with the END. */
export class WriteCall extends Call<End> implements AudioSender {
  lastRound = 0;
  readonly #state: WriteState;
  #credit: SendCredit | undefined;
  /** Read, but not sent. */
  #staged: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #sent: (() => void) | undefined;

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
    if (this.#staged.length === 0) this.#sent?.();
    return { offset, payload };
  }

  protected override get discards(): boolean {
    return this.#state.discards();
  }

  protected override take(message: ChannelMessage): void {
    if (message.type === "ACK") this.#state.progressed(message);
    else if (message.type === "END") this.succeed(message);
    else if (message.type === "OPENED") this.#opened(message);
    else throw unexpected(message);
  }

  protected override ended(): void {
    this.#sent?.();
  }

  #opened(message: Opened): void {
    this.expect(undefined);
    this.#state.opened(message);
    this.#offset = message.offset;
    this.#feed().catch((error: unknown) => this.abandon(error));
  }

  /** Hands over block after block, then says that this was all. */
  async #feed(): Promise<void> {
    await this.#catchUp();
    while (!this.isOver) {
      const block = await this.#state.replay.read(this.#offset);
      if (this.isOver) return;
      if (block === undefined) break;
      this.#hash(block);
      this.#staged = block;
      const sent = new Promise<void>((resolve) => (this.#sent = resolve));
      this.link.ready(this);
      await sent;
    }
    if (this.isOver) return;
    this.link.send({ type: "FINISH", channel: this.channel, size: this.#offset });
    this.expect(finishTimeoutMs);
  }

  /** Hashes what the server kept from an earlier upload and this one has not read. */
  async #catchUp(): Promise<void> {
    const { replay, digests } = this.#state;
    if (replay.firstOffset > digests.positionBytes) return;
    while (!this.isOver && digests.positionBytes < this.#offset) {
      const at = digests.positionBytes;
      const block = await replay.read(at);
      if (block === undefined || this.isOver) return;
      digests.take(at, block.subarray(0, this.#offset - at));
    }
  }

  /** A stream whose beginning was not sent from here has no digest. */
  #hash(block: Uint8Array): void {
    const { digests } = this.#state;
    if (this.#offset <= digests.positionBytes) digests.take(this.#offset, block);
  }
}
