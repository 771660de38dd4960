/**
 * Uploads and downloads over protocol v1, many per connection, timed and verified like those of the older protocol;
 * and short reads beside long ones.
 */
import { KiB } from "../../src/base/limits/units.ts";
import { streamQuantumBytes, usualDataBytes } from "../../src/base/limits/v1.ts";
import { ReceiveWindow, SendCredit } from "../../src/wire/v1/credit.ts";
import type { StreamAudio } from "./audio.ts";
import type { Latency } from "./latency.ts";
import type { Board, Timed } from "./transfers.ts";
import { pumpPauseMs, Transfer, watchForStalls } from "./transfers.ts";
import type { ChannelListener, ChannelMessage, V1Link } from "./v1-link.ts";

/** A stream and its connection. */
export interface V1Stream {
  link: V1Link;
  streamId: string;
  audio: StreamAudio;
}

const metadata = { contentType: undefined, format: undefined, tags: {} };

/** A transfer of one stream on its own channel. */
abstract class V1Transfer extends Transfer<V1Stream> implements ChannelListener {
  readonly channel: number;

  constructor(stream: V1Stream, board: Board) {
    super(stream, board);
    this.channel = stream.link.channel(this);
  }

  abstract start(): void;
  abstract message(message: ChannelMessage): void;

  protected override end(): void {
    this.stream.link.forget(this.channel);
    super.end();
  }

  protected checkEnd(message: Extract<ChannelMessage, { type: "END" }>): void {
    const { sizeBytes, sha256 } = this.stream.audio;
    if (message.outcome === "finished" && message.size === sizeBytes && message.sha256 === sha256) this.end();
    else this.lost(`END says ${message.outcome}, ${message.size} bytes, SHA-256 ${message.sha256}`);
  }
}

class V1Upload extends V1Transfer {
  readonly #credit = new SendCredit(this.stream.link.channelCreditBytes);

  start(): void {
    const { streamId } = this.stream;
    this.stream.link.send({ type: "WRITE", channel: this.channel, streamId, mode: "create", metadata });
  }

  /** Sends a few messages, as far as there is credit for them; false if it has nothing to send now. */
  sendSome(): boolean {
    const { link, audio } = this.stream;
    let left = Math.min(
      streamQuantumBytes,
      this.#credit.bytes,
      link.credit.bytes,
      audio.sizeBytes - this.bytes,
    );
    if (this.endedAt !== undefined || left === 0) return false;
    while (left > 0) {
      const piece = audio.from(this.bytes, Math.min(left, usualDataBytes));
      this.#credit.spend(piece.length);
      link.data(this.channel, this.bytes, piece);
      this.moved(piece.length);
      left -= piece.length;
    }
    if (this.bytes === audio.sizeBytes) {
      link.send({ type: "FINISH", channel: this.channel, size: audio.sizeBytes });
    }
    return true;
  }

  message(message: ChannelMessage): void {
    if (message.type === "CREDIT") this.#credit.grant(message.bytes);
    else if (message.type === "END") this.checkEnd(message);
    else if (message.type !== "ACK" && message.type !== "OPENED") this.lost(explain(message));
  }
}

class V1Download extends V1Transfer {
  readonly #window = new ReceiveWindow(this.stream.link.windowBytes);
  readonly #offset: number;
  readonly #length: number | undefined;

  constructor(stream: V1Stream, board: Board, offset = 0, length?: number) {
    super(stream, board);
    this.#offset = offset;
    this.#length = length;
  }

  start(): void {
    const { link, streamId } = this.stream;
    const [offset, length] = [this.#offset, this.#length];
    link.send({ type: "READ", channel: this.channel, streamId, offset, length });
  }

  message(message: ChannelMessage): void {
    if (message.type === "DATA") this.#take(message.offset, message.payload);
    else if (message.type === "END") this.#finish(message);
    else if (message.type !== "OPENED") this.lost(explain(message));
  }

  #take(offset: number, payload: Uint8Array): void {
    const { audio, link } = this.stream;
    const isRight = offset === this.#offset + this.bytes && audio.isAt(offset, payload);
    if (!isRight || !this.#window.receive(payload.length)) {
      return this.lost(`wrong audio in the ${payload.length} bytes at offset ${offset}`);
    }
    this.moved(payload.length);
    this.#window.consume(payload.length);
    const bytes = this.#window.refill(link.windowBytes);
    if (bytes > 0) link.send({ type: "CREDIT", channel: this.channel, bytes });
  }

  #finish(message: Extract<ChannelMessage, { type: "END" }>): void {
    const { sizeBytes } = this.stream.audio;
    const wanted = Math.min(this.#length ?? sizeBytes, sizeBytes - this.#offset);
    if (this.bytes === wanted) this.checkEnd(message);
    else this.lost(`${this.bytes} bytes arrived instead of ${wanted}`);
  }
}

function explain(message: ChannelMessage): string {
  return message.type === "ERROR" ? message.message : `${message.type} is unexpected`;
}

export async function uploadAllV1(streams: V1Stream[], board: Board): Promise<Timed> {
  const uploads = streams.map((stream) => new V1Upload(stream, board));
  const links = [...new Set(streams.map(({ link }) => link))];
  const groups = links.map((link) => ({
    link,
    uploads: uploads.filter(({ stream }) => stream.link === link),
  }));
  return await run(uploads, board, () => {
    for (const group of groups) pump(group.link, group.uploads);
  });
}

/** Every write to a client's socket moves its buffer: with 4 MiB of it, an upload over one socket was 10 % slower. */
const maxWaitingBytes = 256 * KiB;

/** Serves the uploads of a connection round robin until none can send or the socket's buffer is full enough. */
function pump(link: V1Link, uploads: V1Upload[]): void {
  for (let isMore = true; isMore;) {
    isMore = false;
    for (const upload of uploads) {
      if (link.bufferedBytes >= maxWaitingBytes) return;
      isMore = upload.sendSome() || isMore;
    }
  }
}

export async function downloadAllV1(streams: V1Stream[], board: Board): Promise<Timed> {
  return await run(
    streams.map((stream) => new V1Download(stream, board)),
    board,
  );
}

/** A short read. */
const shortBytes = 64 * KiB;

/** Reads a short range `count` times in sequence, while all `streams` are repeatedly read whole. */
export async function readBeside(
  streams: V1Stream[],
  board: Board,
  latency: Latency,
  count: number,
): Promise<void> {
  const done = new AbortController();
  const bulk = streams.map(async (stream) => {
    while (!done.signal.aborted && board.errors.length === 0) {
      const download = new V1Download(stream, board);
      download.start();
      await download.over;
    }
  });
  for (let read = 0; read < count && board.errors.length === 0; read += 1) {
    const stream = streams[read % streams.length]!;
    const offset = Math.max(0, stream.audio.sizeBytes - shortBytes);
    const download = new V1Download(stream, board, offset, shortBytes);
    const began = performance.now();
    download.start();
    await download.over;
    latency.record(performance.now() - began);
  }
  done.abort();
  await Promise.all(bulk);
}

async function run(transfers: V1Transfer[], board: Board, pump?: () => void): Promise<Timed> {
  board.bytes = 0;
  const watch = watchForStalls(transfers, board);
  const began = performance.now();
  for (const transfer of transfers) transfer.start();
  const isOver = () => transfers.every((transfer) => transfer.endedAt !== undefined);
  if (pump !== undefined) for (; !isOver(); await Bun.sleep(pumpPauseMs)) pump();
  await Promise.all(transfers.map((transfer) => transfer.over));
  clearInterval(watch);
  const ended = Math.max(...transfers.map((transfer) => transfer.endedAt!));
  return { bytes: transfers.reduce((sum, transfer) => sum + transfer.bytes, 0), ms: ended - began };
}
