/** A listener to a recording in progress, as a body of HTTP: a WAV file of unknown length, or a part of it. */
import type { WavecacheError } from "../../base/errors.ts";
import { liveBufferMs, maxLiveBufferBytes } from "../../base/limits/recordings.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import type { LiveRecording } from "./find-recording.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import type { WavPart } from "./range.ts";

export function wavBody(
  recording: LiveRecording,
  part: WavPart,
  settings: ListenerSettings,
): ReadableStream<Uint8Array> {
  const { sampleRate, channels } = recording.handshake;
  const bufferBytes = Math.min((sampleRate * channels * 2 * liveBufferMs) / 1000, maxLiveBufferBytes);
  let listener: WavListener;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        listener = new WavListener(recording, part, settings, controller);
        listener.open();
      },
      cancel() {
        listener.leave();
      },
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

class WavListener implements LiveListener {
  readonly #recording: LiveRecording;
  readonly #settings: ListenerSettings;
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  /** Bytes of the file before the part. */
  #bytesBefore: number;
  #bytesLeft: number;
  #skippedBytes = 0;
  #isOver = false;

  constructor(
    recording: LiveRecording,
    { from, bytes }: WavPart,
    settings: ListenerSettings,
    controller: ReadableStreamDefaultController<Uint8Array>,
  ) {
    this.#recording = recording;
    this.#settings = settings;
    this.#controller = controller;
    this.#bytesBefore = bytesToDrop(from, 2 * recording.handshake.channels);
    this.#bytesLeft = bytes;
  }

  open(): void {
    const { sampleRate, channels } = this.#recording.handshake;
    this.#settings.meter.opened();
    this.#send(encodeWavHeader(sampleRate, channels, undefined));
    this.#settings.ended.addEventListener("abort", this.#onEnded);
    this.#recording.live.add(this);
    // The most recent audio, which `add` passes on, may complete the part.
    if (this.#isOver) this.#recording.live.remove(this);
  }

  push(pcm: Uint8Array): void {
    if (this.#isOver) return;
    if ((this.#controller.desiredSize ?? 0) > 0) return this.#send(pcm);
    this.#skippedBytes += pcm.length;
    this.#settings.meter.skippedBytes += pcm.length;
  }

  end(error?: WavecacheError): void {
    if (this.#isOver) return;
    if (error === undefined) this.#controller.close();
    else this.#controller.error(error);
    this.leave();
  }

  /** Stops listening. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.ended.removeEventListener("abort", this.#onEnded);
    this.#recording.live.remove(this);
    this.#settings.meter.closed();
    if (this.#skippedBytes === 0) return;
    this.#settings.log.info("a listener did not keep up", {
      name: this.#settings.name,
      skippedBytes: this.#skippedBytes,
    });
  }

  readonly #onEnded = () => this.end();

  #send(bytes: Uint8Array): void {
    const wanted = this.#cut(bytes);
    if (wanted.length === 0) return;
    this.#settings.meter.bytesOut += wanted.length;
    this.#controller.enqueue(wanted);
    if (this.#bytesLeft === 0) this.end();
  }

  /** The bytes that belong to the part. */
  #cut(bytes: Uint8Array): Uint8Array {
    const before = Math.min(this.#bytesBefore, bytes.length);
    this.#bytesBefore -= before;
    const wanted = bytes.subarray(before, before + this.#bytesLeft);
    this.#bytesLeft -= wanted.length;
    return wanted;
  }
}

/**
 * Bytes to drop from header and audio so that they continue a file at byte `from`. The audio before that is past, but
 * the part has to begin at the same byte of a sample frame.
 */
function bytesToDrop(from: number, frameBytes: number): number {
  if (from <= wavHeaderBytes) return from;
  return wavHeaderBytes + ((from - wavHeaderBytes) % frameBytes);
}
