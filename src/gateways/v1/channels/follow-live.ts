/** A channel that follows a recording while it is made. What there is no credit for is left out. */
import { maxLiveBufferBytes } from "../../../base/limits/recordings.ts";
import type { LiveListener } from "../../../engine/recordings/live-feed.ts";
import type { ReadSink } from "../../../pool/readers.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { AudioFormat, Follow, Outcome } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { LiveRecording } from "../core.ts";
import type { Source } from "../send-scheduler.ts";

/** Of PCM16. */
const bytesPerSample = 2;

interface Piece {
  /** Of its first byte. */
  offset: number;
  audio: Uint8Array;
}

export class LiveFollowing implements Channel, LiveListener {
  readonly number: number;
  readonly source: LiveSource;
  readonly #host: ChannelHost;
  readonly #request: Follow;
  #recording: LiveRecording | undefined;
  /** All audio that there was, what was left out included. */
  #position = 0;
  #hasEnded = false;

  constructor(host: ChannelHost, request: Follow) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.source = new LiveSource(request.channel, host.firstCredit(), () => this.#endIfComplete());
  }

  open(): void {
    try {
      this.#recording = this.#host.core.recordings.listen(this.#request.name);
    } catch (error) {
      return this.#host.fail(this, error);
    }
    const { handshake, live } = this.#recording;
    this.#host.send({
      type: "OPENED",
      channel: this.number,
      streamId: String(handshake.streamId),
      offset: 0,
      size: undefined,
      metadata: { contentType: undefined, format: formatOf(handshake), tags: {} },
    });
    live.add(this);
  }

  close(): void {
    this.#end("cancelled");
  }

  gone(): void {
    this.#recording?.live.remove(this);
  }

  audio(pcm: Uint8Array): void {
    const offset = this.#position;
    this.#position += pcm.length;
    const { channels } = this.#recording!.handshake;
    this.#host.meter.skippedBytes += pcm.length - this.source.add(offset, pcm, bytesPerSample * channels);
    this.#host.scheduler.wake(this.source, true);
  }

  ended(): void {
    this.#hasEnded = true;
    if (this.source.availableBytes === 0) this.#endIfComplete();
  }

  #endIfComplete(): void {
    if (this.#hasEnded) this.#end("ended");
  }

  #end(outcome: Outcome): void {
    const size = this.#position;
    this.#host.end(this, { type: "END", channel: this.number, outcome, size, sha256: undefined });
  }
}

/** What the decoder of recordings makes of every codec. */
function formatOf({ sampleRate, channels }: LiveRecording["handshake"]): AudioFormat {
  return { codec: "pcm_s16le", sampleRate, channels };
}

/** Pieces of live audio that wait for their turn. */
class LiveSource implements Source {
  readonly channel: number;
  readonly credit: SendCredit;
  readonly #onEmpty: () => void;
  readonly #pieces: Piece[] = [];
  #waitingBytes = 0;

  constructor(channel: number, credit: SendCredit, onEmpty: () => void) {
    this.channel = channel;
    this.credit = credit;
    this.#onEmpty = onEmpty;
  }

  /** Takes as many whole sample frames of `frameBytes` as there is credit and room for; returns how many bytes. */
  add(offset: number, pcm: Uint8Array, frameBytes: number): number {
    const room = Math.min(this.credit.bytes, maxLiveBufferBytes) - this.#waitingBytes;
    const bytes = Math.max(0, Math.min(pcm.length, room - (room % frameBytes)));
    if (bytes > 0) this.#pieces.push({ offset, audio: pcm.subarray(0, bytes) });
    this.#waitingBytes += bytes;
    return bytes;
  }

  get offset(): number {
    return this.#pieces[0]?.offset ?? 0;
  }

  get availableBytes(): number {
    return this.#pieces[0]?.audio.length ?? 0;
  }

  peek(bytes: number): Uint8Array {
    return this.#pieces[0]!.audio.subarray(0, bytes);
  }

  fetch(_bytes: number, _sink: ReadSink): never {
    throw new Error("live audio is in memory");
  }

  advance(bytes: number): void {
    const piece = this.#pieces[0]!;
    this.#waitingBytes -= bytes;
    if (bytes < piece.audio.length) {
      this.#pieces[0] = { offset: piece.offset + bytes, audio: piece.audio.subarray(bytes) };
      return;
    }
    this.#pieces.shift();
    if (this.#pieces.length === 0) this.#onEmpty();
  }

  failed(): never {
    throw new Error("live audio is in memory");
  }
}
