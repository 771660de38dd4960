/**
 * `bun run bench:http --put 64MiB`: uploads by PUT, hashed and durable, beside uploads of the same audio over the
 * WebSocket of the audio cache. Both alternate, so that their ratio holds even if the machine's speed drifts.
 */
import { ClientError } from "../../src/client/errors.ts";
import { removeStream } from "../../src/client/http/streams.ts";
import { KiB } from "../../src/base/limits/units.ts";
import { table } from "../../src/cli/kit/text.ts";
import { Noise, StreamAudio } from "./audio.ts";
import { type Usage, withUsage } from "./figures.ts";
import { Latency } from "./latency.ts";
import { connectAll } from "./peer.ts";
import type { Subject } from "./server.ts";
import { Board, type Timed, Transfer, uploadAll, watchForStalls } from "./transfers.ts";

type Measured = Timed & Usage;

export interface PutRound {
  put: Measured;
  webSocket: Measured;
}

interface PutStream {
  streamId: string;
  audio: StreamAudio;
  url: URL;
}

const frameBytes = 64 * KiB;

/** A PUT on a connection of its own. */
class PutUpload extends Transfer<PutStream> {
  #frame = 0;
  #sentOfFrame = 0;
  #answer = "";

  async start(): Promise<void> {
    const { url, streamId, audio } = this.stream;
    const socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        drain: (each) => this.#send(each),
        data: (_, bytes) => this.#receive(bytes.toString()),
        close: () => this.lost("the server closed"),
        error: (_, error) => this.lost(error.message),
      },
    });
    socket.write(
      `PUT /api/streams/${streamId}/audio HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${audio.sizeBytes}\r\n\r\n`,
    );
    this.#send(socket);
    await this.over;
    socket.end();
  }

  #send(socket: Bun.Socket): void {
    const { audio } = this.stream;
    while (this.#frame < audio.frames) {
      const rest = audio.frame(this.#frame).subarray(this.#sentOfFrame);
      const taken = socket.write(rest);
      this.moved(taken);
      this.#sentOfFrame += taken;
      if (taken < rest.length) return;
      this.#frame += 1;
      this.#sentOfFrame = 0;
    }
  }

  #receive(text: string): void {
    this.#answer += text;
    const body = this.#answer.split("\r\n\r\n")[1];
    if (body === undefined || !body.endsWith("}")) return;
    const { size, sha256 } = JSON.parse(body) as { size?: number; sha256?: string };
    if (size === this.stream.audio.sizeBytes && sha256 === this.stream.audio.sha256) this.end();
    else this.lost(this.#answer);
  }
}

async function putAll(streams: PutStream[], board: Board): Promise<Timed> {
  const uploads = streams.map((stream) => new PutUpload(stream, board));
  const watch = watchForStalls(uploads, board);
  const began = performance.now();
  await Promise.all(uploads.map((upload) => upload.start()));
  clearInterval(watch);
  const ended = Math.max(...uploads.map((upload) => upload.endedAt!));
  return { bytes: uploads.reduce((sum, { bytes }) => sum + bytes, 0), ms: ended - began };
}

async function webSocketAll(subject: Subject, streams: PutStream[], board: Board): Promise<Timed> {
  const peers = await connectAll(subject.url, streams.length);
  const uploads = streams.map((stream, index) => ({ ...stream, peer: peers[index]! }));
  const latencies = { start: new Latency(), get: new Latency(), stop: new Latency() };
  try {
    return await uploadAll(uploads, board, latencies);
  } finally {
    for (const peer of peers) peer.close();
  }
}

/** Uploads `count` streams at once in both ways, `rounds` times, and removes them. Throws if one fails. */
export async function measurePuts(
  subject: Subject,
  { count, bytes, rounds }: { count: number; bytes: number; rounds: number },
): Promise<PutRound[]> {
  const noise = new Noise(frameBytes);
  const audios = Array.from(
    { length: count },
    (_, index) => new StreamAudio(noise, index, bytes, frameBytes),
  );
  const results: PutRound[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const measure = async (kind: number, act: (streams: PutStream[], board: Board) => Promise<Timed>) => {
      for (const [index, audio] of audios.entries()) audio.stamp(index, 2 * round + kind);
      const board = new Board();
      const url = new URL(subject.httpBase);
      const streams = audios.map((audio, index) => ({ streamId: `put-${kind}-${index}`, audio, url }));
      const [timed, usage] = await withUsage(subject.observed, () => act(streams, board));
      if (board.errors.length > 0) throw new ClientError("UNEXPECTED", board.errors.join("; "));
      for (const { streamId } of streams) await removeStream(streamId, { url: subject.url });
      return { ...timed, ...usage };
    };
    const put = await measure(0, putAll);
    const webSocket = await measure(1, (streams, board) => webSocketAll(subject, streams, board));
    results.push({ put, webSocket });
  }
  return results;
}

function rate({ bytes, ms }: Timed): number {
  return (bytes * 8) / ms / 1e6;
}

export function putLines(rounds: readonly PutRound[]): string[] {
  const rows = rounds.map(({ put, webSocket }) => [
    rate(put).toFixed(2),
    rate(webSocket).toFixed(2),
    (rate(put) / rate(webSocket)).toFixed(2),
  ]);
  return table([["PUT Gbit/s", "WebSocket Gbit/s", "ratio"], ...rows], [0, 1, 2]);
}
