/**
 * A channel that writes a stream.
 *
 *     opening --> open --> finishing --> closed
 *        |          |                      ^
 *        '----------+--> ending -----------'     (left or thrown away; what still comes is ignored)
 */
import { type ErrorCode, WavecacheError } from "../../../base/errors.ts";
import { initialChannelCreditBytes } from "../../../base/limits/v1.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import { ReceiveWindow } from "../../../wire/v1/credit.ts";
import type { Data, Write } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { OpenUpload } from "../core.ts";

export class UploadChannel implements Channel, UploadOwner {
  readonly number: number;
  readonly source = undefined;
  readonly #host: ChannelHost;
  readonly #request: Write;
  readonly #streamId: string;
  readonly #window = new ReceiveWindow(initialChannelCreditBytes);
  #state: "opening" | "open" | "finishing" | "ending" = "opening";
  #upload: OpenUpload | undefined;
  /** Where the next audio must begin; undefined while that is not known. */
  #next: number | undefined;
  /** The way to the disk is full: there is no more credit until it is not. */
  #isHeld = false;
  #durable = 0;
  #told = { written: 0, durable: 0 };
  #isFencing = false;
  #isSecuring = false;

  constructor(host: ChannelHost, request: Write) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.#streamId = request.streamId ?? `stream-${crypto.randomUUID()}`;
    if (request.mode === "create") this.#next = 0;
  }

  open(): void {
    const { streams } = this.#host.core;
    const { mode, metadata } = this.#request;
    try {
      this.#upload =
        mode === "create"
          ? streams.startUpload(this.#streamId, this, metadata)
          : streams.resumeUpload(this.#streamId, this, metadata);
    } catch (error) {
      return this.#host.fail(this, error);
    }
    void this.#whenReady(this.#upload);
  }

  async #whenReady(upload: OpenUpload): Promise<void> {
    try {
      const offset = await upload.ready;
      if (this.#state === "opening") this.#state = "open";
      this.#next ??= offset;
      this.#told.written = offset;
      this.#host.send({
        type: "OPENED",
        channel: this.number,
        streamId: this.#streamId,
        offset,
        size: upload.finishing !== undefined && this.#state !== "finishing" ? offset : undefined,
        metadata: upload.metadata,
      });
      this.#grant();
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  data({ offset, crc, payload }: Data): void {
    if (this.#state === "ending") return;
    if (this.#state === "finishing") return this.#host.fault("BAD_REQUEST", "DATA behind FINISH");
    const { length } = payload;
    if (!this.#window.receive(length)) return this.#host.fault("CREDIT_EXCEEDED");
    if (offset !== this.#next) return void this.#refuse("OFFSET_WRONG");
    if (Bun.hash.crc32(payload) !== crc) return void this.#refuse("CHECKSUM_WRONG");
    this.#next += length;
    // The payload is gone after this.
    if (!this.#upload!.write(payload)) this.#isHeld = true;
    if (this.#isHeld) return;
    this.#window.take(length);
    this.#grant();
  }

  finish(size: number): void {
    if (this.#state === "ending") return;
    if (this.#state === "finishing") return this.#host.fault("BAD_REQUEST", "FINISH behind FINISH");
    if (size !== this.#next) return void this.#refuse("OFFSET_WRONG");
    this.#state = "finishing";
    void this.#finish();
  }

  close(discard: boolean): void {
    if (this.#state === "ending" || this.#state === "finishing") return;
    // Its audio was complete before: it can be neither left nor thrown away.
    if (this.#upload!.finishing !== undefined) return this.finish(this.#next!);
    void (discard ? this.#discard() : this.#leave());
  }

  gone(): void {
    this.#state = "ending";
    this.#upload?.leave(new WavecacheError("STREAM_UNFINISHED"));
  }

  /** Tells what has come since the last time, and finds out for the next. */
  tick(): void {
    if (this.#state !== "open") return;
    const upload = this.#upload!;
    this.#acknowledge();
    if (this.#durable < upload.receivedBytes && !this.#isSecuring) void this.#secure(upload);
    else if (upload.writtenBytes < upload.receivedBytes && !this.#isFencing) void this.#fence(upload);
  }

  /** The server goes: makes durable what has come, and tells. */
  async settle(): Promise<void> {
    if (this.#state !== "open") return;
    await this.#secure(this.#upload!);
    this.#acknowledge();
  }

  uploadHolds(): void {
    this.#isHeld = true;
  }

  uploadHasRoom(): void {
    this.#isHeld = false;
    this.#window.take(this.#window.heldBytes);
    this.#grant();
  }

  uploadFailed(_upload: unknown, error: WavecacheError): void {
    this.#host.fail(this, error);
  }

  #grant(): void {
    if (this.#isHeld || this.#state !== "open") return;
    const bytes = this.#window.refill(this.#host.writingWindow());
    if (bytes > 0) this.#host.send({ type: "CREDIT", channel: this.number, bytes });
  }

  #acknowledge(): void {
    if (this.#state !== "open") return;
    const durable = this.#durable;
    const written = Math.max(durable, this.#upload!.writtenBytes);
    if (written <= this.#told.written && durable <= this.#told.durable) return;
    this.#told = { written, durable };
    this.#host.send({ type: "ACK", channel: this.number, written, durable });
  }

  async #fence(upload: OpenUpload): Promise<void> {
    this.#isFencing = true;
    await upload.readable(upload.receivedBytes).catch(toldByUpload);
    this.#isFencing = false;
  }

  async #secure(upload: OpenUpload): Promise<void> {
    this.#isSecuring = true;
    const durable = await upload.checkpoint().catch(toldByUpload);
    this.#durable = Math.max(this.#durable, durable ?? 0);
    this.#isSecuring = false;
  }

  async #finish(): Promise<void> {
    try {
      const { size, sha256 } = await this.#upload!.finish();
      this.#host.end(this, { type: "END", channel: this.number, outcome: "finished", size, sha256 });
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  /** The client has sent what it must not: what was right before that stays. */
  async #refuse(code: ErrorCode): Promise<void> {
    await this.#keepAll();
    this.#host.fail(this, new WavecacheError(code));
  }

  async #leave(): Promise<void> {
    const failure = await this.#keepAll();
    if (failure !== undefined) return this.#host.fail(this, failure);
    const size = this.#upload!.writtenBytes;
    this.#host.end(this, {
      type: "END",
      channel: this.number,
      outcome: "unfinished",
      size,
      sha256: undefined,
    });
  }

  /** Leaves the stream with all that has come; says what went wrong instead. */
  async #keepAll(): Promise<unknown> {
    this.#state = "ending";
    const upload = this.#upload!;
    try {
      await upload.ready;
      await upload.readable(upload.receivedBytes);
    } catch (error) {
      return error;
    } finally {
      upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    }
    await upload.over;
    return undefined;
  }

  async #discard(): Promise<void> {
    this.#state = "ending";
    const upload = this.#upload!;
    try {
      // Only then is the stream ours to throw away.
      await upload.ready;
    } catch (error) {
      return this.#host.fail(this, error);
    }
    upload.discard();
    await upload.over;
    this.#host.end(this, {
      type: "END",
      channel: this.number,
      outcome: "removed",
      size: 0,
      sha256: undefined,
    });
  }
}

/** An upload that fails tells its channel by itself. */
function toldByUpload(): undefined {
  return undefined;
}
