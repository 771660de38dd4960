/**
 * The rounds of a run at full speed. The ceilings and the server alternate in each round, so that a share of a ceiling
 * holds even if the machine's speed drifts. Uploaded streams are removed before the next round.
 */
import { ClientError } from "../../src/client/errors.ts";
import { removeStream } from "../../src/client/http/streams.ts";
import { Noise, StreamAudio } from "./audio.ts";
import { type Observed, type Usage, withUsage } from "./figures.ts";
import { Latency } from "./latency.ts";
import { copyAlone, hashAlone, writeAlone } from "./local-ceilings.ts";
import type { Settings } from "./options.ts";
import { connectAll, type Peer } from "./peer.ts";
import type { Progress } from "./progress.ts";
import { type BareServer, openBareServer, type Subject } from "./server.ts";
import {
  type Board,
  downloadAll,
  drainAll,
  type Latencies,
  type Stream,
  type Timed,
  uploadAll,
} from "./transfers.ts";
import { connectLinks } from "./v1-link.ts";
import { downloadAllV1, readBeside, uploadAllV1 } from "./v1-transfers.ts";

export interface Measured extends Timed, Usage {}

/** The figures of one round. */
export interface Round {
  upload: Measured;
  download: Measured;
  ceilings: Ceilings | undefined;
  v1: V1Round | undefined;
}

/** The same streams over protocol v1. */
export interface V1Round {
  upload: Measured;
  download: Measured;
}

export interface Ceilings {
  sink: Measured;
  hashSink: Measured;
  /** A bare server that sends unasked, and one that answers GETs. */
  sender: Measured;
  answerer: Measured;
  hash: Timed;
  write: Timed;
  copy: Timed;
}

/** The server's memory for its idle connections. */
export interface Idle {
  /** After the server has served one stream. */
  startBytes: number | undefined;
  connectedBytes: number | undefined;
}

export interface RoundsResult {
  rounds: Round[];
  idle: Idle;
  latencies: Latencies;
  /** Latencies of short reads over v1 beside long ones. */
  beside: Latency;
  /** Streams that could not be removed from the server. */
  leftStreams: number;
}

interface BareServers {
  sink: BareServer;
  hash: BareServer;
  send: BareServer;
}

/** Long reads of one connection beside which short ones are timed, and the number of these. */
const besideStreams = 32;
const besideReads = 200;

export class Rounds {
  readonly #settings: Settings;
  readonly #subject: Subject;
  readonly #board: Board;
  readonly #progress: Progress;
  readonly #noise: Noise;
  readonly #audios: StreamAudio[];
  /** Folder on the disk to measure. */
  readonly #folder: string;
  readonly #latencies: Latencies = { start: new Latency(), get: new Latency(), stop: new Latency() };
  readonly #beside = new Latency();
  #leftStreams = 0;
  #idle: Idle = { startBytes: undefined, connectedBytes: undefined };

  constructor(settings: Settings, subject: Subject, folder: string, board: Board, progress: Progress) {
    const { streams, bytesPerStream, frameBytes } = settings;
    this.#settings = settings;
    this.#subject = subject;
    this.#folder = folder;
    this.#board = board;
    this.#progress = progress;
    progress.phase("preparing audio and its digests");
    const noise = new Noise(frameBytes);
    this.#noise = noise;
    this.#audios = Array.from(
      { length: streams },
      (_, index) => new StreamAudio(noise, index, bytesPerStream, frameBytes),
    );
  }

  /** Runs all rounds; stops after a round in which something failed. */
  async run(): Promise<RoundsResult> {
    await using stack = new AsyncDisposableStack();
    const bare = this.#settings.ceilings ? await this.#openBare(stack) : undefined;
    const rounds: Round[] = [];
    for (let round = 0; round < this.#settings.rounds && this.#board.errors.length === 0; round += 1) {
      rounds.push(await this.#round(round, bare));
    }
    return {
      rounds,
      idle: this.#idle,
      latencies: this.#latencies,
      beside: this.#beside,
      leftStreams: this.#leftStreams,
    };
  }

  async #openBare(stack: AsyncDisposableStack): Promise<BareServers> {
    const open = async (mode: "sink" | "hash" | "send") =>
      stack.use(await openBareServer(mode, this.#settings.frameBytes));
    return { sink: await open("sink"), hash: await open("hash"), send: await open("send") };
  }

  async #round(round: number, bare: BareServers | undefined): Promise<Round> {
    this.#audios.forEach((audio, index) => audio.stamp(index, round));
    const name = `round ${round + 1} of ${this.#settings.rounds}:`;
    const before = bare === undefined ? undefined : await this.#ceilingsBefore(name, bare);
    const streams = this.#streams(await this.#connect(round), round);
    const upload = await this.#measured(`${name} upload`, this.#subject.observed, () =>
      uploadAll(streams, this.#board, this.#latencies),
    );
    const between = bare === undefined ? undefined : await this.#ceilingsBetween(name, bare, streams);
    const download = await this.#measured(`${name} download`, this.#subject.observed, () =>
      downloadAll(streams, this.#board, this.#latencies.get, this.#settings.window),
    );
    for (const { peer } of streams) peer.close();
    this.#progress.phase(`${name} removing streams`);
    this.#leftStreams += await removeAll(streams, this.#subject.url);
    const ceilings = before === undefined || between === undefined ? undefined : { ...before, ...between };
    const v1 = await this.#v1Round(name, round);
    return { upload, download, ceilings, v1 };
  }

  async #v1Round(name: string, round: number): Promise<V1Round | undefined> {
    const { v1Connections, streams: count } = this.#settings;
    if (v1Connections === undefined) return undefined;
    const { url, observed } = this.#subject;
    // Content that the server already has would skip the rename.
    this.#audios.forEach((audio, index) => audio.stamp(index, this.#settings.rounds + round));
    const links = await connectLinks(url, v1Connections, count);
    const streams = this.#audios.map((audio, index) => ({
      link: links[index % links.length]!,
      streamId: `bench-v1-${process.pid}-${Date.now().toString(36)}-${round}-${index}`,
      audio,
    }));
    const upload = await this.#measured(`${name} upload over v1`, observed, () =>
      uploadAllV1(streams, this.#board),
    );
    const download = await this.#measured(`${name} download over v1`, observed, () =>
      downloadAllV1(streams, this.#board),
    );
    this.#progress.phase(`${name} short reads beside long ones`);
    const bulk = streams.filter(({ link }) => link === links[0]).slice(0, besideStreams);
    await readBeside(bulk, this.#board, this.#beside, besideReads);
    for (const link of links) link.close();
    this.#leftStreams += await removeAll(streams, url);
    return { upload, download };
  }

  /** Connects; the first time, measures the server's memory for it. */
  async #connect(round: number): Promise<Peer[]> {
    const { url, observed } = this.#subject;
    if (round > 0) return await connectAll(url, this.#settings.streams);
    await this.#warmUp(url);
    const startBytes = (await observed.probe())?.ownBytes;
    const peers = await connectAll(url, this.#settings.streams);
    this.#idle = { startBytes, connectedBytes: (await observed.probe())?.ownBytes };
    return peers;
  }

  /** One stream up and down: keeps the one-time cost of code and rings out of the cost per stream. */
  async #warmUp(url: string): Promise<void> {
    this.#progress.phase("warming up");
    const streams = this.#streams(await connectAll(url, 1), 0);
    await uploadAll(streams, this.#board, { start: new Latency(), get: new Latency(), stop: new Latency() });
    await downloadAll(streams, this.#board, new Latency(), this.#settings.window);
    for (const { peer } of streams) peer.close();
    this.#leftStreams += await removeAll(streams, url);
  }

  #streams(peers: Peer[], round: number): Stream[] {
    const run = `bench-${process.pid}-${Date.now().toString(36)}-${round}`;
    return peers.map((peer, index) => ({ peer, streamId: `${run}-${index}`, audio: this.#audios[index]! }));
  }

  async #ceilingsBefore(name: string, bare: BareServers) {
    const { frameBytes } = this.#settings;
    this.#progress.phase(`${name} copy and SHA-256 alone`);
    const copy = copyAlone(this.#noise, frameBytes);
    const hash = hashAlone(this.#noise, frameBytes);
    const sink = await this.#bareUpload(`${name} bare sink`, bare.sink, false);
    const hashSink = await this.#bareUpload(`${name} bare sink with SHA-256`, bare.hash, true);
    return { copy, hash, sink, hashSink };
  }

  async #ceilingsBetween(name: string, bare: BareServers, uploaded: Stream[]) {
    this.#progress.phase(`${name} writing files`);
    const write = await writeAlone(this.#folder, this.#noise, uploaded);
    const frame = this.#noise.bytes.subarray(0, this.#settings.frameBytes);
    const sender = await this.#bareDownload(`${name} bare sender`, bare.send, (streams) =>
      drainAll(streams, this.#board, frame),
    );
    const answerer = await this.#bareDownload(`${name} bare answers to GETs`, bare.send, (streams) =>
      downloadAll(streams, this.#board, new Latency(), this.#settings.window, frame),
    );
    return { write, sender, answerer };
  }

  async #bareDownload(
    name: string,
    server: BareServer,
    download: (streams: Stream[]) => Promise<Timed>,
  ): Promise<Measured> {
    const streams = this.#streams(await connectAll(server.url, this.#settings.streams), 0);
    const measured = await this.#measured(name, server.observed, () => download(streams));
    for (const { peer } of streams) peer.close();
    return measured;
  }

  async #bareUpload(name: string, server: BareServer, hashes: boolean): Promise<Measured> {
    const unused = { start: new Latency(), get: new Latency(), stop: new Latency() };
    const streams = this.#streams(await connectAll(server.url, this.#settings.streams), 0);
    const measured = await this.#measured(name, server.observed, () =>
      uploadAll(streams, this.#board, unused, hashes),
    );
    for (const { peer } of streams) peer.close();
    return measured;
  }

  async #measured(name: string, observed: Observed, act: () => Promise<Timed>): Promise<Measured> {
    this.#progress.phase(name, this.#board, this.#settings.streams * this.#settings.bytesPerStream);
    const [timed, usage] = await withUsage(observed, act);
    return { ...timed, ...usage };
  }
}

/** Concurrent removal requests: few, so that removal is fast and disturbs nothing. */
const removersAtOnce = 8;

/** Removes the uploaded streams and returns how many remain: all of them on a server without the HTTP API. */
export async function removeAll(streams: Pick<Stream, "streamId">[], url: string): Promise<number> {
  const waiting = [...streams];
  let left = 0;
  const remover = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!(await isRemoved(next.streamId, url))) left += 1;
    }
  };
  await Promise.all(Array.from({ length: removersAtOnce }, remover));
  return left;
}

async function isRemoved(streamId: string, url: string): Promise<boolean> {
  try {
    return await removeStream(streamId, { url });
  } catch (error) {
    if (error instanceof ClientError) return false;
    throw error;
  }
}
