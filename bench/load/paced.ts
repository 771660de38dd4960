/**
 * Streams at a steady rate, like those of players and devices. Every message has an intended time on one absolute
 * schedule and is sent then, whatever is still unanswered; its latency counts from the intended time. So a server
 * that stalls for a second is charged with every request that was due in that second. A client that waits for answers
 * would charge it with one (coordinated omission). The client's own lateness is in the figures too.
 *
 * All streams have the same interval between frames and start evenly spread over it: message n of all is due n
 * gaps after the start, and belongs to stream n modulo the number of streams.
 */
import { megabitsPerSecond } from "../../src/cli/kit/text.ts";
import { encodeGet, encodeStart, encodeStop, type Reply } from "../../src/wire/audio-cache.ts";
import { Noise, StreamAudio } from "./audio.ts";
import { type Usage, withUsage } from "./figures.ts";
import { Latency } from "./latency.ts";
import type { Settings } from "./options.ts";
import { connectAll, type Listener } from "./peer.ts";
import type { Progress } from "./progress.ts";
import { removeAll } from "./rounds.ts";
import type { Subject } from "./server.ts";
import {
  type Board,
  type Latencies,
  receiptFault,
  type Stream,
  unexpected,
  wrongFrame,
} from "./transfers.ts";

/** Limit for the answer to the last message. */
const answerLimitMs = 30_000;
/** Time from the call to the first message. */
const leadMs = 20;

export interface PacedResult {
  latencies: Latencies;
  /** How much later than intended the client itself sent; part of every latency. */
  late: Latency;
  offeredMbps: number;
  upload: PacedPhase;
  download: PacedPhase;
  leftStreams: number;
}

export interface PacedPhase extends Usage {
  bytes: number;
  mbps: number;
}

/** One stream's part of a phase: sends message number `step` and receives the answers. */
abstract class PacedStream implements Listener {
  protected readonly stream: Stream;
  protected readonly board: Board;
  readonly #over = Promise.withResolvers<void>();
  protected isOver = false;

  constructor(stream: Stream, board: Board) {
    this.stream = stream;
    this.board = board;
    stream.peer.listen(this);
  }

  abstract send(step: number, dueMs: number): void;
  abstract reply(reply: Reply): void;
  abstract audio(bytes: Uint8Array): void;

  get over(): Promise<void> {
    return this.#over.promise;
  }

  lost(reason: string): void {
    if (this.isOver) return;
    this.board.errors.push(`${this.stream.streamId}: ${reason}`);
    this.end();
  }

  protected end(): void {
    this.isOver = true;
    this.#over.resolve();
  }
}

/** Frames, with START before the first and STOP after the last. */
class PacedUpload extends PacedStream {
  readonly #latencies: Latencies;
  #startDueMs = 0;
  #stopDueMs = 0;

  constructor(stream: Stream, board: Board, latencies: Latencies) {
    super(stream, board);
    this.#latencies = latencies;
  }

  send(step: number, dueMs: number): void {
    const { peer, streamId, audio } = this.stream;
    if (step === 0) {
      this.#startDueMs = dueMs;
      peer.send(encodeStart(streamId));
    }
    const frame = audio.frame(step) as Buffer<ArrayBuffer>;
    peer.send(frame);
    this.board.bytes += frame.length;
    if (step < audio.frames - 1) return;
    this.#stopDueMs = dueMs;
    peer.send(encodeStop(streamId));
  }

  reply(reply: Reply): void {
    const now = performance.now();
    if (reply.type === "STARTED") this.#latencies.start.record(now - this.#startDueMs);
    else if (reply.type === "STOPPED") {
      this.#latencies.stop.record(now - this.#stopDueMs);
      const fault = receiptFault(reply, this.stream.audio);
      if (fault === undefined) this.end();
      else this.lost(fault);
    } else this.lost(unexpected(reply));
  }

  audio(): void {
    this.lost("received audio while uploading");
  }
}

class PacedDownload extends PacedStream {
  readonly #latency: Latency;
  /** Intended times of all GETs, by frame. */
  readonly #dueMs: Float64Array;
  #received = 0;

  constructor(stream: Stream, board: Board, latency: Latency) {
    super(stream, board);
    this.#latency = latency;
    this.#dueMs = new Float64Array(stream.audio.frames);
  }

  send(frame: number, dueMs: number): void {
    const { peer, streamId, audio } = this.stream;
    this.#dueMs[frame] = dueMs;
    peer.send(encodeGet(streamId, frame * audio.frameBytes, audio.frameBytes));
  }

  audio(bytes: Uint8Array): void {
    if (this.isOver) return;
    this.#latency.record(performance.now() - this.#dueMs[this.#received]!);
    const { audio } = this.stream;
    if (!audio.isFrame(this.#received, bytes)) return this.lost(wrongFrame(this.#received, bytes, audio));
    this.#received += 1;
    this.board.bytes += bytes.length;
    if (this.#received === audio.frames) this.end();
  }

  reply(reply: Reply): void {
    this.lost(unexpected(reply));
  }
}

/** Uploads all streams at their rate, then reads them at their rate. */
export async function runPaced(
  settings: Settings,
  rateMbps: number,
  subject: Subject,
  board: Board,
  progress: Progress,
): Promise<PacedResult> {
  const latencies = { start: new Latency(), get: new Latency(), stop: new Latency() };
  const late = new Latency();
  const { frameBytes, seconds } = settings;
  const intervalMs = (frameBytes * 8) / 1000 / rateMbps;
  const frames = Math.max(1, Math.round((seconds * 1000) / intervalMs));
  const streams = await openStreams(settings, frames * frameBytes, subject.url, progress);
  const totalBytes = streams.length * frames * frameBytes;

  const phase = async (name: string, steps: number, paced: PacedStream[]): Promise<PacedPhase> => {
    board.bytes = 0;
    progress.phase(name, board, totalBytes);
    const [ms, usage] = await withUsage(subject.observed, () => onSchedule(paced, steps, intervalMs, late));
    return { bytes: board.bytes, mbps: megabitsPerSecond(board.bytes, ms), ...usage };
  };
  const uploads = streams.map((stream) => new PacedUpload(stream, board, latencies));
  const upload = await phase("paced upload", frames, uploads);
  const downloads = streams.map((stream) => new PacedDownload(stream, board, latencies.get));
  const download = await phase("paced reading", frames, downloads);
  for (const { peer } of streams) peer.close();
  const leftStreams = await removeAll(streams, subject.url);
  return { latencies, late, offeredMbps: streams.length * rateMbps, upload, download, leftStreams };
}

async function openStreams(
  settings: Settings,
  bytesPerStream: number,
  url: string,
  progress: Progress,
): Promise<Stream[]> {
  progress.phase("preparing audio and its digests");
  const noise = new Noise(settings.frameBytes);
  const peers = await connectAll(url, settings.streams);
  const run = `paced-${process.pid}-${Date.now().toString(36)}`;
  return peers.map((peer, index) => ({
    peer,
    streamId: `${run}-${index}`,
    audio: new StreamAudio(noise, index, bytesPerStream, settings.frameBytes),
  }));
}

/** Sends `steps` messages of each stream, one per interval. Resolves with the duration once all streams have ended. */
async function onSchedule(
  streams: PacedStream[],
  steps: number,
  intervalMs: number,
  late: Latency,
): Promise<number> {
  const gapMs = intervalMs / streams.length;
  const beginMs = performance.now() + leadMs;
  const dueMs = (message: number) => beginMs + message * gapMs;
  for (let message = 0; message < steps * streams.length;) {
    const now = performance.now();
    for (; message < steps * streams.length && dueMs(message) <= now; message += 1) {
      late.record(performance.now() - dueMs(message));
      streams[message % streams.length]!.send(Math.floor(message / streams.length), dueMs(message));
    }
    await Bun.sleep(Math.max(0, Math.floor(dueMs(message) - performance.now())) || 1);
  }
  const timer = setTimeout(() => {
    for (const stream of streams) stream.lost(`not answered within ${answerLimitMs / 1000} s`);
  }, answerLimitMs);
  await Promise.all(streams.map((stream) => stream.over));
  clearTimeout(timer);
  return performance.now() - beginMs;
}
