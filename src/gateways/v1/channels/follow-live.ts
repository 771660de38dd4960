/** A channel that follows a recording in progress. Audio without credit is skipped, so the listener stays live. */
import { recordingResource } from "../../../access/actions.ts";
import type { WavecacheError } from "../../../base/errors.ts";
import { maxLiveBufferBytes } from "../../../base/limits/recordings.ts";
import type { LiveListener } from "../../../engine/recordings/live-feed.ts";
import type { ReadSink } from "../../../pool/reader.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { AudioFormat, Follow, Outcome } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { LiveRecording } from "../dependencies.ts";
import type { AudioSource } from "../send-scheduler.ts";

/** PCM16. */
const bytesPerSample = 2;

interface Piece {
  /** Offset of its first byte. */
  offset: number;
  audio: Uint8Array;
}

export class FollowLiveChannel implements Channel, LiveListener {
  readonly number: number;
  readonly source: LiveSource;
  readonly #host: ChannelHost;
  readonly #request: Follow;
  #recording: LiveRecording | undefined;
  /** Bytes of live audio so far, skipped ones included. */
  #position = 0;
  #hasEnded = false;
  #isGone = false;

  constructor(host: ChannelHost, request: Follow) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.source = new LiveSource(request.channel, host.firstCredit(), () => this.#endIfComplete());
  }

  open(): void {
    this.#find().then(
      (recording) => this.#listen(recording),
      (error: unknown) => this.#host.fail(this, error),
    );
  }

  #listen(recording: LiveRecording): void {
    if (this.#isGone) return;
    this.#recording = recording;
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

  /** Rejects with RECORDING_UNKNOWN, also for a recording that the client may not hear. */
  async #find(): Promise<LiveRecording> {
    const { principal, recordings } = this.#host;
    principal.requireSome("listen", "recordings");
    const recording = await recordings.listen(this.#request.name);
    const resource = recordingResource(recording.hwid, recording.handshake.streamId);
    principal.require("listen", resource, "RECORDING_UNKNOWN");
    return recording;
  }

  close(): void {
    this.#end("cancelled");
  }

  gone(): void {
    this.#isGone = true;
    this.#recording?.live.remove(this);
  }

  push(pcm: Uint8Array): void {
    const offset = this.#position;
    this.#position += pcm.length;
    const { channels } = this.#recording!.handshake;
    this.#host.meter.skippedBytes += pcm.length - this.source.add(offset, pcm, bytesPerSample * channels);
    this.#host.scheduler.wake(this.source, true);
  }

  end(error?: WavecacheError): void {
    if (error !== undefined) return this.#host.fail(this, error);
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

/** The live feed carries 16-bit samples, whatever codec the device sends. */
function formatOf({ sampleRate, channels }: LiveRecording["handshake"]): AudioFormat {
  return { codec: "pcm_s16le", sampleRate, channels };
}

/** A bounded queue of live audio. */
class LiveSource implements AudioSource {
  readonly channel: number;
  readonly credit: SendCredit;
  readonly #onEmpty: () => void;
  readonly #pieces: Piece[] = [];
  #queuedBytes = 0;

  constructor(channel: number, credit: SendCredit, onEmpty: () => void) {
    this.channel = channel;
    this.credit = credit;
    this.#onEmpty = onEmpty;
  }

  /** Queues as many whole sample frames of `frameBytes` as credit and buffer allow. Returns the bytes queued. */
  add(offset: number, pcm: Uint8Array, frameBytes: number): number {
    const room = Math.min(this.credit.bytes, maxLiveBufferBytes) - this.#queuedBytes;
    const bytes = Math.max(0, Math.min(pcm.length, room - (room % frameBytes)));
    if (bytes > 0) this.#pieces.push({ offset, audio: pcm.subarray(0, bytes) });
    this.#queuedBytes += bytes;
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
    throw new Error("live audio is always in memory");
  }

  advance(bytes: number): void {
    const piece = this.#pieces[0]!;
    this.#queuedBytes -= bytes;
    if (bytes < piece.audio.length) {
      this.#pieces[0] = { offset: piece.offset + bytes, audio: piece.audio.subarray(bytes) };
      return;
    }
    this.#pieces.shift();
    if (this.#pieces.length === 0) this.#onEmpty();
  }

  failed(): never {
    throw new Error("live audio is always in memory");
  }
}
