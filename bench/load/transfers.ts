/**
 * Concurrent uploads and downloads of many streams at full speed, each kind timed as a whole: an upload from the
 * first START to the last STOPPED, a download from the first GET to the last byte.
 *
 * Verification costs the client processor time that a server on the same machine then lacks. So answers are compared
 * byte by byte with the audio sent, instead of hashed: a comparison runs at 8 GB/s, SHA-256 at 1.4 GB/s (one core of
 * the machine of bench/results). At a download of 10 Gbit/s that is an eighth of a core. The bare sender's audio is
 * compared in the same way, so that a share of it stays fair.
 */
import { MiB } from "../../src/base/limits/units.ts";
import { encodeGet, encodeStart, encodeStop, type Reply } from "../../src/wire/audio-cache.ts";
import type { StreamAudio } from "./audio.ts";
import type { Latency } from "./latency.ts";
import type { Listener, Peer } from "./peer.ts";

/** A transfer without progress for this long has failed. */
const stallMs = 30_000;
/** Bytes buffered in all sockets together, and in each: enough to keep one busy while the sender sleeps. */
const totalBufferedBytes = 32 * MiB;
export const maxBufferedBytes = 4 * MiB;
export const pumpPauseMs = 1;

/** The state of a phase, for the progress line and for the result. */
export class Board {
  /** Bytes sent or received in the current phase. */
  bytes = 0;
  readonly errors: string[] = [];
}

export interface Latencies {
  start: Latency;
  get: Latency;
  stop: Latency;
}

/** The base of every transfer of a stream. */
export interface Stream {
  peer: Peer;
  streamId: string;
  audio: StreamAudio;
}

/** Bytes moved in a phase, and its duration. */
export interface Timed {
  bytes: number;
  ms: number;
}

/** A transfer of one stream over either protocol. */
export abstract class Transfer<S extends { streamId: string }> {
  readonly stream: S;
  /** End time, by `performance.now`. */
  endedAt: number | undefined;
  bytes = 0;
  protected readonly board: Board;
  readonly #over = Promise.withResolvers<void>();

  constructor(stream: S, board: Board) {
    this.stream = stream;
    this.board = board;
  }

  /** Resolves when the transfer ends, with or without an error. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  lost(reason: string): void {
    if (this.endedAt !== undefined) return;
    this.board.errors.push(`${this.stream.streamId}: ${reason}`);
    this.end();
  }

  protected moved(bytes: number): void {
    this.bytes += bytes;
    this.board.bytes += bytes;
  }

  protected end(): void {
    this.endedAt ??= performance.now();
    this.#over.resolve();
  }
}

/** A transfer on its own connection. */
abstract class PeerTransfer extends Transfer<Stream> implements Listener {
  constructor(stream: Stream, board: Board) {
    super(stream, board);
    stream.peer.listen(this);
  }

  abstract reply(reply: Reply): void;
  abstract audio(bytes: Uint8Array): void;
}

class Upload extends PeerTransfer {
  readonly #latencies: Latencies;
  readonly #checksDigest: boolean;
  #state: "starting" | "sending" | "stopping" = "starting";
  #frame = 0;
  #askedAt = 0;

  constructor(stream: Stream, board: Board, latencies: Latencies, checksDigest: boolean) {
    super(stream, board);
    this.#latencies = latencies;
    this.#checksDigest = checksDigest;
  }

  start(): void {
    this.#askedAt = performance.now();
    this.stream.peer.send(encodeStart(this.stream.streamId));
  }

  /** Sends until `highBytes` are buffered in the socket. */
  pump(highBytes: number): void {
    if (this.#state !== "sending" || this.endedAt !== undefined) return;
    const { peer, audio } = this.stream;
    while (this.#frame < audio.frames) {
      if (peer.bufferedBytes >= highBytes) return;
      const frame = audio.frame(this.#frame) as Buffer<ArrayBuffer>;
      peer.send(frame);
      this.moved(frame.length);
      this.#frame += 1;
    }
    this.#state = "stopping";
    this.#askedAt = performance.now();
    peer.send(encodeStop(this.stream.streamId));
  }

  reply(reply: Reply): void {
    const ms = performance.now() - this.#askedAt;
    if (this.#state === "starting" && reply.type === "STARTED") {
      this.#latencies.start.record(ms);
      this.#state = "sending";
    } else if (this.#state === "stopping" && reply.type === "STOPPED") {
      this.#latencies.stop.record(ms);
      const wrong = receiptFault(reply, this.stream.audio, this.#checksDigest);
      if (wrong === undefined) this.end();
      else this.lost(wrong);
    } else this.lost(unexpected(reply));
  }

  audio(): void {
    this.lost("received audio while uploading");
  }
}

/** The fault of a STOPPED; size and digest must be present and correct. */
export function receiptFault(
  reply: Extract<Reply, { type: "STOPPED" }>,
  audio: StreamAudio,
  checksDigest = true,
): string | undefined {
  const isRight = reply.size === audio.sizeBytes && (reply.sha256 === audio.sha256 || !checksDigest);
  if (isRight) return undefined;
  return `STOPPED says ${reply.size} bytes, SHA-256 ${reply.sha256}; sent were ${audio.sizeBytes}, ${audio.sha256}`;
}

export function unexpected(reply: Reply): string {
  return reply.type === "ERROR" ? reply.message : `${reply.type} is unexpected`;
}

class Download extends PeerTransfer {
  readonly #latency: Latency;
  readonly #bareFrame: Buffer | undefined;
  /** Times of the GETs in flight, in a circular buffer. */
  readonly #askedAt: Float64Array;
  #asked = 0;
  #received = 0;

  /** `bareFrame` is the answer of a bare sender, which has no streams, to every GET. */
  constructor(stream: Stream, board: Board, latency: Latency, windowGets: number, bareFrame?: Buffer) {
    super(stream, board);
    this.#latency = latency;
    this.#bareFrame = bareFrame;
    this.#askedAt = new Float64Array(windowGets);
  }

  start(): void {
    const { frames } = this.stream.audio;
    while (this.#asked < Math.min(this.#askedAt.length, frames)) this.#ask();
  }

  #ask(): void {
    const { streamId, audio, peer } = this.stream;
    this.#askedAt[this.#asked % this.#askedAt.length] = performance.now();
    peer.send(encodeGet(streamId, this.#asked * audio.frameBytes, audio.frameBytes));
    this.#asked += 1;
  }

  audio(bytes: Uint8Array): void {
    if (this.endedAt !== undefined) return;
    const { audio } = this.stream;
    this.#latency.record(performance.now() - this.#askedAt[this.#received % this.#askedAt.length]!);
    if (this.#asked < audio.frames) this.#ask();
    if (!this.#isRight(bytes)) return this.lost(wrongFrame(this.#received, bytes, audio));
    this.#received += 1;
    this.moved(bytes.length);
    if (this.#received === audio.frames) this.end();
  }

  #isRight(bytes: Uint8Array): boolean {
    if (this.#bareFrame !== undefined) return Buffer.compare(bytes, this.#bareFrame) === 0;
    return this.stream.audio.isFrame(this.#received, bytes);
  }

  reply(reply: Reply): void {
    this.lost(unexpected(reply));
  }
}

export function wrongFrame(frame: number, bytes: Uint8Array, audio: StreamAudio): string {
  return `wrong audio in the ${bytes.length} bytes at offset ${frame * audio.frameBytes}`;
}

/** Audio of a bare sender: the same frame repeated without requests; every byte is compared. */
class Drain extends PeerTransfer {
  readonly #frame: Buffer;

  constructor(stream: Stream, board: Board, frame: Buffer) {
    super(stream, board);
    this.#frame = frame;
  }

  start(): void {
    const { audio, peer } = this.stream;
    peer.send(String(audio.frames * audio.frameBytes));
  }

  audio(bytes: Uint8Array): void {
    if (Buffer.compare(bytes, this.#frame) !== 0) return this.lost("wrong audio from the bare sender");
    this.moved(bytes.length);
    if (this.bytes === this.stream.audio.frames * this.stream.audio.frameBytes) this.end();
  }

  reply(reply: Reply): void {
    this.lost(unexpected(reply));
  }
}

/**
 * Uploads all streams concurrently and reports failures to the board. Compares size and SHA-256 of each STOPPED with
 * the audio sent, except for a sink that does not hash.
 */
export async function uploadAll(
  streams: Stream[],
  board: Board,
  latencies: Latencies,
  checksDigest = true,
): Promise<Timed> {
  const uploads = streams.map((stream) => new Upload(stream, board, latencies, checksDigest));
  const highBytes = Math.min(maxBufferedBytes, Math.ceil(totalBufferedBytes / streams.length));
  return await run(uploads, board, () => {
    for (const upload of uploads) upload.pump(highBytes);
  });
}

/**
 * Downloads all streams concurrently, with `windowGets` GETs of one frame in flight per stream. From a bare sender it
 * downloads the sender's single frame.
 */
export async function downloadAll(
  streams: Stream[],
  board: Board,
  latency: Latency,
  windowGets: number,
  bareFrame?: Buffer,
): Promise<Timed> {
  return await run(
    streams.map((stream) => new Download(stream, board, latency, windowGets, bareFrame)),
    board,
  );
}

/** Receives the audio of a bare sender on all connections concurrently. */
export async function drainAll(streams: Stream[], board: Board, frame: Buffer): Promise<Timed> {
  return await run(
    streams.map((stream) => new Drain(stream, board, frame)),
    board,
  );
}

/** Starts transfers and waits for all of them; calls `pump` every millisecond meanwhile. */
async function run(
  transfers: (PeerTransfer & { start(): void })[],
  board: Board,
  pump?: () => void,
): Promise<Timed> {
  board.bytes = 0;
  const watch = watchForStalls(transfers, board);
  const began = performance.now();
  for (const transfer of transfers) transfer.start();
  const isOver = () => transfers.every((transfer) => transfer.endedAt !== undefined);
  if (pump !== undefined) {
    // Not a busy loop: on two cores it would take the server's core.
    for (; !isOver(); await Bun.sleep(pumpPauseMs)) pump();
  }
  await Promise.all(transfers.map((transfer) => transfer.over));
  clearInterval(watch);
  const ended = Math.max(...transfers.map((transfer) => transfer.endedAt!));
  return { bytes: transfers.reduce((sum, transfer) => sum + transfer.bytes, 0), ms: ended - began };
}

export function watchForStalls(
  transfers: Pick<Transfer<{ streamId: string }>, "endedAt" | "lost">[],
  board: Board,
): Timer {
  let before = { bytes: -1, over: -1 };
  return setInterval(() => {
    const over = transfers.filter((transfer) => transfer.endedAt !== undefined).length;
    if (board.bytes === before.bytes && over === before.over) {
      for (const transfer of transfers) transfer.lost(`no progress for ${stallMs / 1000} s`);
    }
    before = { bytes: board.bytes, over };
  }, stallMs);
}
