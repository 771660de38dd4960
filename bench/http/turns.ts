/** Rounds in which servers take turns with the same transfers. */
import { GiB } from "../../src/base/limits/units.ts";
import { removeStream } from "../../src/client/http/streams.ts";
import { Random } from "../../src/testing/harness/bytes.ts";
import { Noise, StreamAudio } from "../load/audio.ts";
import { type Observed, withUsage } from "../load/figures.ts";
import { Latency } from "../load/latency.ts";
import { connectAll } from "../load/peer.ts";
import type { Subject } from "../load/server.ts";
import { type Spread, spread } from "../load/summary.ts";
import { Board, uploadAll } from "../load/transfers.ts";
import { get, put, tus } from "./requests.ts";
import type { Rival } from "./rivals.ts";

export interface TurnSettings {
  transfers: number;
  bytes: number;
  rounds: number;
}

export interface Figures {
  name: string;
  mbPerSecond: Spread;
  /** Of the server. */
  cpuSecondsPerGiB: number | undefined;
  /** The rate of the first contender, divided by that of this one in the same round. */
  firstOfThis: Spread;
}

/** One way to move the bytes of a round. */
interface Contender {
  name: string;
  observed: Observed;
  move(round: number): Promise<void>;
  /** Removes what the round has stored. Not timed. */
  clear?(): Promise<void>;
}

interface Turn {
  mbPerSecond: number;
  cpuSeconds: number | undefined;
}

/** Sends the same file to all connections at once. */
export async function downloadTurns(
  subject: Subject,
  rivals: readonly Rival[],
  folder: string,
  settings: TurnSettings,
): Promise<Figures[]> {
  const audio = new Random(1).bytes(settings.bytes);
  await put(subject.httpBase, "download", audio);
  await Bun.write(`${folder}/audio`, audio);
  const fetchAll = async (url: string) => {
    const lengths = await atOnce(settings.transfers, () => get(url));
    if (lengths.some((length) => length !== audio.length)) throw new Error(`${url}: wrong length`);
  };
  const ours = {
    name: "GET",
    observed: subject.observed,
    move: () => fetchAll(`${subject.httpBase}/api/streams/download/audio`),
  };
  const others = rivals.map(({ name, httpBase, observed }) => ({
    name,
    observed,
    move: () => fetchAll(`${httpBase}/audio`),
  }));
  return await takeTurns([ours, ...others], settings);
}

/** Uploads different audio on all connections at once. */
export async function uploadTurns(
  subject: Subject,
  tusd: Rival | undefined,
  settings: TurnSettings,
): Promise<Figures[]> {
  const audio = Array.from({ length: settings.transfers }, (_, index) =>
    new Random(index + 2).bytes(settings.bytes),
  );
  const contenders = [putContender(subject, audio), tusContender("tus", subject, audio)];
  contenders.push(await socketContender(subject, settings));
  if (tusd !== undefined) contenders.push(tusContender("tusd", tusd, audio));
  return await takeTurns(contenders, settings);
}

function putContender({ url, httpBase, observed }: Subject, audio: Uint8Array[]): Contender {
  return {
    name: "PUT",
    observed,
    async move(round) {
      stamp(audio, round);
      await Promise.all(audio.map((bytes, index) => put(httpBase, putId(index), bytes)));
    },
    async clear() {
      for (const index of audio.keys()) await removeStream(putId(index), { url });
    },
  };
}

const putId = (index: number): string => `put-${index}`;

function tusContender(
  name: string,
  { httpBase, observed }: Pick<Subject, "httpBase" | "observed">,
  audio: Uint8Array[],
): Contender {
  let urls: string[] = [];
  return {
    name,
    observed,
    async move(round) {
      stamp(audio, -round);
      urls = await Promise.all(audio.map((bytes) => tus(httpBase, bytes)));
    },
    async clear() {
      for (const url of urls) await fetch(url, { method: "DELETE", headers: { "tus-resumable": "1.0.0" } });
    },
  };
}

const frameBytes = 65_536;

async function socketContender(subject: Subject, settings: TurnSettings): Promise<Contender> {
  const peers = await connectAll(subject.url, settings.transfers);
  const noise = new Noise(frameBytes);
  const streams = peers.map((peer, index) => {
    const audio = new StreamAudio(noise, index, settings.bytes, frameBytes);
    return { peer, streamId: `socket-${index}`, audio };
  });
  const unused = { start: new Latency(), get: new Latency(), stop: new Latency() };
  return {
    name: "WebSocket",
    observed: subject.observed,
    async move(round) {
      const board = new Board();
      for (const [index, { audio }] of streams.entries()) audio.stamp(index, round);
      await uploadAll(streams, board, unused);
      if (board.errors.length > 0) throw new Error(board.errors[0]);
    },
    async clear() {
      for (const { streamId } of streams) await removeStream(streamId, { url: subject.url });
    },
  };
}

/** Makes the audio of each round another, since the server stores equal audio once. */
function stamp(audio: Uint8Array[], round: number): void {
  for (const bytes of audio) new DataView(bytes.buffer, bytes.byteOffset).setInt32(0, round);
}

async function takeTurns(contenders: Contender[], settings: TurnSettings): Promise<Figures[]> {
  const turns = contenders.map((): Turn[] => []);
  // The first round only warms up.
  for (let round = 0; round <= settings.rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const turn = await takeTurn(contender, round, settings);
      if (round > 0) turns[index]!.push(turn);
    }
  }
  const [first] = turns;
  return contenders.map(({ name }, index) => {
    const own = turns[index]!;
    const cpuSeconds = own.map((turn) => turn.cpuSeconds).filter((seconds) => seconds !== undefined);
    const gibibytes = (settings.transfers * settings.bytes) / GiB;
    return {
      name,
      mbPerSecond: spread(own.map((turn) => turn.mbPerSecond)),
      cpuSecondsPerGiB: cpuSeconds.length === 0 ? undefined : spread(cpuSeconds).median / gibibytes,
      firstOfThis: spread(own.map((turn, round) => first![round]!.mbPerSecond / turn.mbPerSecond)),
    };
  });
}

async function takeTurn(contender: Contender, round: number, settings: TurnSettings): Promise<Turn> {
  const [ms, { cpuSeconds }] = await withUsage(contender.observed, async () => {
    const began = performance.now();
    await contender.move(round);
    return performance.now() - began;
  });
  await contender.clear?.();
  return { mbPerSecond: (settings.transfers * settings.bytes) / 1000 / ms, cpuSeconds };
}

async function atOnce<T>(count: number, act: () => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: count }, act));
}
