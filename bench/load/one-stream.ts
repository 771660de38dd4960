/**
 * One large stream up and down, beside what a bare `Bun.serve` takes and sends in the same run:
 *
 *     bun bench/load/one-stream.ts [--bytes 1073741824] [--rounds 3]
 *
 * Ours and bare take turns, so that a ratio holds though the machine's speed drifts; the median ratio counts. An
 * upload is timed from its first byte to STOPPED, hashed and durable; a download has 16 GETs of 64 KiB under way.
 * Then 200 streams are opened at once and the server's memory is read.
 */
import { parseArgs } from "node:util";
import { MiB } from "../../src/base/limits.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { encodeGet, encodeStart, encodeStop } from "../../src/wire/audio-cache.ts";

const { values } = parseArgs({
  options: { bytes: { type: "string", default: "1073741824" }, rounds: { type: "string", default: "3" } },
});
const totalBytes = Number(values.bytes);
const rounds = Number(values.rounds);
const getBytes = 65_536;
const windowGets = 16;
const openStreams = 200;
const bytesPerOpenStream = MiB;
/** Enough in the socket to keep it busy while the sender sleeps a millisecond. */
const mostBufferedBytes = 4 * MiB;

interface Peer {
  socket: WebSocket;
  next(): Promise<string | ArrayBuffer>;
  onBinary: ((bytes: number) => void) | undefined;
}

async function connect(url: string): Promise<Peer> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.binaryType = "arraybuffer";
  const arrived: (string | ArrayBuffer)[] = [];
  let wake: (() => void) | undefined;
  const peer: Peer = {
    socket,
    onBinary: undefined,
    async next() {
      while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift()!;
    },
  };
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== "string" && peer.onBinary !== undefined) return peer.onBinary(data.byteLength);
    arrived.push(data);
    wake?.();
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
  });
  return peer;
}

async function sendFrames(socket: WebSocket, frameBytes: number): Promise<void> {
  const frame = crypto.getRandomValues(new Uint8Array(frameBytes));
  for (let sent = 0; sent < totalBytes; sent += frameBytes) {
    socket.send(frame);
    if (socket.bufferedAmount < mostBufferedBytes) continue;
    while (socket.bufferedAmount > mostBufferedBytes / 2) await Bun.sleep(1);
  }
}

/** Gbit/s of one upload. */
async function upload(url: string, frameBytes: number, streamId: string | undefined): Promise<number> {
  const peer = await connect(url);
  const began = performance.now();
  if (streamId !== undefined) peer.socket.send(encodeStart(streamId, false));
  await sendFrames(peer.socket, frameBytes);
  peer.socket.send(streamId === undefined ? "digest" : encodeStop(streamId));
  let answer = await peer.next();
  if (streamId !== undefined) answer = await peer.next();
  if (streamId !== undefined && !String(answer).includes('"STOPPED"')) throw new Error(String(answer));
  peer.socket.close();
  return gigabits(began);
}

async function download(url: string, streamId: string): Promise<number> {
  const peer = await connect(url);
  const { promise, resolve } = Promise.withResolvers<void>();
  const began = performance.now();
  let asked = 0;
  let received = 0;
  const ask = () => {
    if (asked >= totalBytes) return;
    peer.socket.send(encodeGet(streamId, asked, getBytes));
    asked += getBytes;
  };
  peer.onBinary = (bytes) => {
    received += bytes;
    ask();
    if (received >= totalBytes) resolve();
  };
  for (let index = 0; index < windowGets; index += 1) ask();
  await promise;
  peer.socket.close();
  return gigabits(began);
}

async function downloadBare(url: string): Promise<number> {
  const peer = await connect(url);
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = 0;
  peer.onBinary = (bytes) => {
    received += bytes;
    if (received >= totalBytes) resolve();
  };
  const began = performance.now();
  peer.socket.send(String(totalBytes));
  await promise;
  peer.socket.close();
  return gigabits(began);
}

function gigabits(began: number): number {
  return (totalBytes * 8) / 1e6 / (performance.now() - began);
}

async function withBare<T>(mode: "hash" | "send", use: (url: string) => Promise<T>): Promise<T> {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/bare-server.ts`, mode], { stdout: "pipe" });
  try {
    const { value } = await child.stdout.getReader().read();
    return await use(`ws://127.0.0.1:${new TextDecoder().decode(value).trim()}/`);
  } finally {
    child.kill();
  }
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function median(list: number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
}

/** Prints both medians and the median of the ratios, pair by pair. */
async function compare(
  title: string,
  target: number,
  ours: (round: number) => Promise<number>,
  bare: () => Promise<number>,
): Promise<void> {
  const pairs: { ours: number; bare: number }[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push({ bare: await bare(), ours: await ours(round) });
  const ratios = pairs.map((pair) => pair.ours / pair.bare);
  print(
    `${title.padEnd(28)} ${median(pairs.map((pair) => pair.ours)).toFixed(2)} of ` +
      `${median(pairs.map((pair) => pair.bare)).toFixed(2)} Gbit/s, ratio ${median(ratios).toFixed(2)} ` +
      `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), wanted ${target}`,
  );
}

async function memoryOfStreams(): Promise<void> {
  await using server = await TestServer.start({ flags: { workers: 1 } });
  const peers = await Promise.all(Array.from({ length: openStreams }, () => connect(server.url)));
  const frame = new Uint8Array(65_536);
  const before = (await server.memory()).residentBytes;
  for (const [index, { socket }] of peers.entries()) {
    socket.send(encodeStart(`open-${index}`, false));
    for (let sent = 0; sent < bytesPerOpenStream; sent += frame.length) socket.send(frame);
  }
  // Everything sent is in the files when a byte of its end can be read.
  for (const [index, { socket }] of peers.entries()) {
    socket.send(encodeGet(`open-${index}`, bytesPerOpenStream - 1, 1));
  }
  await Promise.all(peers.map(async (peer) => [await peer.next(), await peer.next()]));
  const after = (await server.memory()).residentBytes;
  const perStream = (bytes: number) => `${(bytes / openStreams / 1024).toFixed(0)} KiB`;
  print(
    `${openStreams} open streams            ${(after / MiB).toFixed(0)} MiB resident in all: ` +
      `${perStream(after)} a stream, ${perStream(after - before)} more than before, wanted under 1024 KiB`,
  );
  for (const { socket } of peers) socket.close();
}

async function transfers(): Promise<void> {
  const cacheBytes = String((2 * rounds + 1) * totalBytes);
  await using server = await TestServer.start({ flags: { workers: 1, "max-cache-bytes": cacheBytes } });
  for (const [frameBytes, target] of [
    [65_536, 0.6],
    [8_192, 0.45],
  ] as const) {
    await compare(
      `upload, ${frameBytes / 1024} KiB frames`,
      target,
      (round) => upload(server.url, frameBytes, `up-${frameBytes}-${round}`),
      () => withBare("hash", (url) => upload(url, frameBytes, undefined)),
    );
  }
  await compare(
    "download, 64 KiB GETs",
    0.5,
    (round) => download(server.url, `up-65536-${round}`),
    () => withBare("send", downloadBare),
  );
}

await transfers();
await memoryOfStreams();
process.exit(0);
