/** Live audio of a device while it is recorded: a WAV without an end, over HTTP beside the WebSocket. */
import { parseWavHead, type WavFormat } from "../../codec/wav.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { type ApiOptions, causeOf, httpOrigin, jsonOf, throwUnlessOk, unreachable } from "./api.ts";
import { ClientError } from "../errors.ts";
import { concatBytes } from "../concat-bytes.ts";
import { answerTimeoutMs } from "../limits.ts";

export interface ListenOptions extends ApiOptions {
  /** A hardware id or a stream id. */
  device: string;
}

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "cancel"> & {
  read(): Promise<{ value?: Uint8Array | undefined }>;
};

export class LiveWav {
  readonly format: WavFormat;
  /** The file up to its audio, as it came: without sizes. */
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
   * Asks for the live audio and reads its head; `timeoutMs` holds up to the answer. Throws REFUSED where there is no
   * such recording now, NO_RECORDER where the server knows no live audio.
   */
  static async open(options: ListenOptions): Promise<LiveWav> {
    const response = await answerTo(options);
    if (!response.ok || response.body === null) {
      throwUnlessOk({ status: response.status, body: jsonOf(await response.text()) }, "NO_RECORDER");
      throw new ClientError("NO_RECORDER", `HTTP status ${response.status}`);
    }
    const reader: Reader = response.body.getReader();
    const { signal } = options;
    let received: Uint8Array = new Uint8Array(0);
    for (;;) {
      const head = parseWavHead(received);
      if (head.kind === "format") return new LiveWav(reader, signal, head.format, received);
      if (head.kind === "refused") throw new ClientError("UNEXPECTED", head.reason);
      const chunk = await nextChunk(reader, signal);
      if (chunk === undefined) throw new ClientError("CONNECTION_LOST", "before there was any audio");
      received = concatBytes(received, chunk);
    }
  }

  /**
   * The audio as it comes, in whole samples of every channel, to the end of the recording. Throws CONNECTION_LOST, or
   * the reason of the signal.
   */
  async *audio(): AsyncGenerator<Uint8Array, void, void> {
    let isOver = false;
    try {
      let chunk: Uint8Array | undefined = this.#pending;
      let rest: Uint8Array = new Uint8Array(0);
      while (chunk !== undefined) {
        const bytes = concatBytes(rest, chunk);
        const whole = bytes.length - (bytes.length % this.format.frameBytes);
        if (whole > 0) yield bytes.subarray(0, whole);
        rest = bytes.subarray(whole);
        isOver = true;
        chunk = await nextChunk(this.#reader, this.#signal);
        isOver = chunk === undefined;
      }
    } finally {
      // Whoever has heard enough ends the request; one that has ended or failed cannot be ended again.
      if (!isOver) await this.#reader.cancel();
    }
  }

  /** The head of a finished file with this much audio. */
  sizedHead(dataBytes: number): Uint8Array<ArrayBuffer> {
    const head = this.head.slice();
    const view = new DataView(head.buffer);
    // Past 4 GiB the sizes stay as they are: up to the end of the file.
    if (head.length - 8 + dataBytes > 0xffffffff) return head;
    view.setUint32(4, head.length - 8 + dataBytes, true);
    view.setUint32(head.length - 4, dataBytes, true);
    return head;
  }
}

async function answerTo(options: ListenOptions): Promise<Response> {
  const name = sanitizeHwid(options.device);
  if (name === undefined) {
    throw new ClientError("BAD_ARGUMENT", `device "${options.device}"`, "give a hardware id or a stream id");
  }
  const target = new URL(`/live/${encodeURIComponent(name)}.wav`, httpOrigin(options.url));
  // Only the answer has to come in time: the audio has no end.
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), options.timeoutMs ?? answerTimeoutMs);
  const signals = [patience.signal, options.signal].filter((signal) => signal !== undefined);
  try {
    return await (options.fetch ?? fetch)(target, { signal: AbortSignal.any(signals), redirect: "manual" });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (patience.signal.aborted) throw new ClientError("ANSWER_TIMEOUT", `GET ${target}`);
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
