/** A listener to a recording in progress, as a body of HTTP: Opus in Ogg, which a browser plays as it arrives. */
import type { WavecacheError } from "../../base/errors.ts";
import { livePagePackets, maxLiveOpusBytes } from "../../base/limits/recordings.ts";
import { OpusWriter } from "../../codec/ogg/opus-writer.ts";
import type { OpusListener } from "../../engine/recordings/live-opus.ts";
import type { LiveRecording } from "./find-recording.ts";
import type { ListenerSettings } from "./listener-settings.ts";

/** Throws RATE_NOT_ENCODABLE. */
export function opusBody(recording: LiveRecording, settings: ListenerSettings): ReadableStream<Uint8Array> {
  const listener = new OpusBody(recording, settings);
  listener.open();
  return listener.body;
}

class OpusBody implements OpusListener {
  readonly body: ReadableStream<Uint8Array>;
  readonly #recording: LiveRecording;
  readonly #settings: ListenerSettings;
  readonly #writer = new OpusWriter(Math.floor(Math.random() * 2 ** 32));
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Packets of the next page. */
  #pending: Uint8Array[] = [];
  #skippedBytes = 0;
  #isOver = false;

  constructor(recording: LiveRecording, settings: ListenerSettings) {
    this.#recording = recording;
    this.#settings = settings;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        cancel: () => this.#leave(),
      },
      { highWaterMark: maxLiveOpusBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  open(): void {
    const { meter, ended } = this.#settings;
    for (const page of this.#writer.head()) this.#send(page);
    meter.opened();
    ended.addEventListener("abort", this.#onEnded);
    try {
      this.#recording.opus.add(this);
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  packets(packets: readonly Uint8Array[]): void {
    this.#pending.push(...packets);
    while (this.#pending.length >= livePagePackets) this.#sendPage(this.#pending.splice(0, livePagePackets));
  }

  end(error?: WavecacheError): void {
    if (this.#isOver) return;
    if (error !== undefined) {
      this.#controller.error(error);
      return this.#leave();
    }
    if (this.#pending.length > 0) this.#sendPage(this.#pending);
    this.#send(this.#writer.end());
    this.#controller.close();
    this.#leave();
  }

  readonly #onEnded = () => this.end();

  #sendPage(packets: Uint8Array[]): void {
    const hasRoom = (this.#controller.desiredSize ?? 0) > 0;
    if (hasRoom) return this.#send(this.#writer.page(packets));
    const bytes = packets.reduce((sum, packet) => sum + packet.length, 0);
    this.#skippedBytes += bytes;
    this.#settings.meter.skippedBytes += bytes;
  }

  #send(page: Uint8Array): void {
    this.#settings.meter.bytesOut += page.length;
    this.#controller.enqueue(page);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { ended, meter, log, name } = this.#settings;
    ended.removeEventListener("abort", this.#onEnded);
    this.#recording.opus.remove(this);
    meter.closed();
    if (this.#skippedBytes > 0)
      log.info("a listener did not keep up", { name, skippedBytes: this.#skippedBytes });
  }
}
