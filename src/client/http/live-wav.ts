/** Live audio of a device while it is recorded: a WAV file without an end, over the HTTP API. */
import { parseWavHead, type WavFormat } from "../../codec/wav/wav.ts";
import { KiB } from "../../base/limits/units.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { type ApiOptions, causeOf, httpOrigin, jsonOf, throwUnlessOk, unreachable } from "./api.ts";
import { ClientError } from "../errors.ts";
import { concatBytes } from "../concat-bytes.ts";
import { answerTimeoutMs } from "../limits.ts";

/** Servers send a head of 44 bytes. */
const maxHeadBytes = 4 * KiB;

export interface ListenOptions extends ApiOptions {
  /** The device's hardware id or its numeric stream id. */
  device: string;
}

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "cancel"> & {
  read(): Promise<{ value?: Uint8Array | undefined }>;
};

export class LiveWav {
  readonly format: WavFormat;
  /** The header as it was received, without valid sizes. */
  readonly head: Uint8Array<ArrayBuffer>;
  readonly #reader: Reader;
  readonly #signal: AbortSignal | undefined;
  #pending: Uint8Array;

  private constructor(
    reader: Reader,
    signal: AbortSignal | undefined,
    format: WavFormat,
    received: Uint8Array,
  ) {
    this.#reader = reader;
    this.#signal = signal;
    this.format = format;
    this.head = received.slice(0, format.dataAt);
    this.#pending = received.subarray(format.dataAt);
  }

  /**
   * Requests the live audio and reads its header. `timeoutMs` applies until the server answers. Throws REFUSED if the
   * device is not recorded now, NO_RECORDER if the server has no live audio, BAD_ARGUMENT for an invalid id.
   */
  static async open(options: ListenOptions): Promise<LiveWav> {
    const response = await requestAudio(options);
    if (!response.ok || response.body === null) {
      throwUnlessOk({ status: response.status, body: jsonOf(await response.text()) }, "NO_RECORDER");
      throw new ClientError("NO_RECORDER", `HTTP status ${response.status}`);
    }
    const reader: Reader = response.body.getReader();
    const { signal } = options;
    let received: Uint8Array = new Uint8Array(0);
    for (;;) {
      const head = parseWavHead(received);
      const isPcm16 = head.kind === "format" && head.format.encoding === "s16";
      if (isPcm16) return new LiveWav(reader, signal, head.format, received);
      if (head.kind === "refused") throw new ClientError("UNEXPECTED", head.reason);
      if (head.kind !== "more" || received.length > maxHeadBytes) {
        throw new ClientError("UNEXPECTED", "live audio that is not WAV with 16-bit samples");
      }
      const chunk = await nextChunk(reader, signal);
      if (chunk === undefined) throw new ClientError("CONNECTION_LOST", "before any audio");
      received = concatBytes(received, chunk);
    }
  }

  /**
   * The audio until the recording ends, interleaved, each piece whole samples of all channels. Throws CONNECTION_LOST, or
   * the reason of the signal.
   */
  async *audio(): AsyncGenerator<Uint8Array, void, void> {
    let hasEnded = false;
    try {
      let chunk: Uint8Array | undefined = this.#pending;
      let partial: Uint8Array = new Uint8Array(0);
      while (chunk !== undefined) {
        const bytes = concatBytes(partial, chunk);
        const wholeBytes = bytes.length - (bytes.length % this.format.frameBytes);
        if (wholeBytes > 0) yield bytes.subarray(0, wholeBytes);
        partial = bytes.subarray(wholeBytes);
        // If this throws, the request has ended.
        hasEnded = true;
        chunk = await nextChunk(this.#reader, this.#signal);
        hasEnded = chunk === undefined;
      }
    } finally {
      // The caller stopped early: end the request, which has no end of its own.
      if (!hasEnded) await this.#reader.cancel();
    }
  }

  /** The header of a finished file with this much audio. */
  sizedHead(dataBytes: number): Uint8Array<ArrayBuffer> {
    const head = this.head.slice();
    const view = new DataView(head.buffer);
    // Above 4 GiB the sizes cannot be expressed; as received, they mean "to the end of the file".
    if (head.length - 8 + dataBytes > 0xffffffff) return head;
    view.setUint32(4, head.length - 8 + dataBytes, true);
    view.setUint32(head.length - 4, dataBytes, true);
    return head;
  }
}

async function requestAudio(options: ListenOptions): Promise<Response> {
  const name = sanitizeHwid(options.device);
  if (name === undefined) {
    throw new ClientError("BAD_ARGUMENT", `device "${options.device}"`, "give a hardware id or a stream id");
  }
  const target = new URL(`/live/${encodeURIComponent(name)}.wav`, httpOrigin(options.url));
  // The timeout applies to the answer alone, because the audio has no end.
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), options.timeoutMs ?? answerTimeoutMs);
  const signals = [timeout.signal, options.signal].filter((signal) => signal !== undefined);
  try {
    return await (options.fetch ?? fetch)(target, { signal: AbortSignal.any(signals), redirect: "manual" });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (timeout.signal.aborted) throw new ClientError("ANSWER_TIMEOUT", `GET ${target}`);
    throw unreachable(target, error);
  } finally {
    clearTimeout(timer);
  }
}

async function nextChunk(reader: Reader, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  try {
    const { value } = await reader.read();
    return value;
  } catch (error) {
    signal?.throwIfAborted();
    throw new ClientError("CONNECTION_LOST", causeOf(error));
  }
}
