/**
 * One attempt to upload a stream, by each protocol that can. An attempt continues what an earlier one has left, by
 * whichever protocol and at whichever server that was, and may be cut off on purpose.
 */
import { sha256, type Random } from "../../harness/bytes.ts";
import { streamIdOf, TusPeer } from "../../harness/http/tus.ts";
import { AudioCachePeer } from "../../harness/peers/audio-cache.ts";
import { V1Peer } from "../../harness/peers/v1.ts";
import type { Sent } from "./ledger.ts";

export interface Attempt {
  /** `http://HOST:PORT`. */
  origin: string;
  sent: Sent;
  audio: Uint8Array<ArrayBuffer>;
  /** The attempt is given up once it has sent the audio up to here; Infinity if it is not. */
  until: number;
  random: Random;
}

/** Resolves with the SHA-256 that the server has acknowledged; null if the protocol does not tell it. */
export type Upload = (attempt: Attempt) => Promise<string | null>;

/** The server has said something that cannot be. */
export class WrongAnswer extends Error {}

/** An attempt that was cut off on purpose. */
export class CutOff extends Error {}

/** A client gives up what a frozen server has, and goes on at another one, long before that one is back. */
const attemptMs = 15_000;
const maxFrameBytes = 200_000;

export const uploads: Readonly<Record<string, Upload>> = {
  "old WebSocket": streamUpload,
  "protocol v1": v1Upload,
  PUT: putUpload,
  tus: tusUpload,
};

async function streamUpload({ origin, sent, audio, until, random }: Attempt): Promise<string> {
  using peer = await AudioCachePeer.open(`${origin.replace("http", "ws")}/audio`);
  const offset = await peer.resume(sent.id);
  checkOffset(offset, audio.length);
  for (const piece of random.pieces(audio.subarray(offset, until), maxFrameBytes)) {
    peer.socket.binary(piece);
    await peer.socket.flush();
  }
  if (until < audio.length) throw new CutOff();
  const stopped = await peer.stop(sent.id, attemptMs);
  return stopped.sha256 ?? "";
}

async function v1Upload({ origin, sent, audio, until }: Attempt): Promise<string> {
  using peer = await V1Peer.open(`${origin.replace("http", "ws")}/audio`, { revision: 2 });
  const { offset, sha256: digest } = await peer.resume(1, sent.id);
  checkOffset(offset, audio.length);
  if (digest !== undefined && digest !== sha256(audio.subarray(0, offset)))
    throw new WrongAnswer(`resumed at ${offset} with other audio before it`);
  await peer.write(1, audio, offset, Math.max(offset, Math.min(until, audio.length)));
  if (until < audio.length) throw new CutOff();
  const end = await peer.finish(1, audio.length);
  return end.sha256 ?? "";
}

/** A whole upload: it begins anew whatever there is. */
async function putUpload({ origin, sent, audio, until }: Attempt): Promise<string> {
  const leaver = new AbortController();
  const timer = setTimeout(() => leaver.abort(), attemptMs);
  const body = until < audio.length ? brokenBody(audio.subarray(0, until), leaver) : audio;
  try {
    const init = { method: "PUT", body, signal: leaver.signal };
    const answer = await fetch(`${origin}/api/streams/${sent.id}/audio`, init);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ""}`);
    return (JSON.parse(text) as { sha256: string }).sha256;
  } catch (error) {
    throw until < audio.length ? new CutOff() : error;
  } finally {
    clearTimeout(timer);
  }
}

/** A body that the client leaves after these bytes. */
function brokenBody(bytes: Uint8Array, leaver: AbortController): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(bytes),
    pull: () => leaver.abort(),
  });
}

async function tusUpload({ origin, sent, audio, until }: Attempt): Promise<null> {
  const peer = new TusPeer(origin);
  const path = `/api/tus/${sent.id}`;
  const found = await peer.head(path);
  if (found.status === 404) {
    const location = await peer.create(audio.length, { streamId: sent.id });
    if (streamIdOf(location) !== sent.id) throw new WrongAnswer(`created as ${location}`);
  } else if (found.status !== 200) throw new Error(`HEAD: ${found.status}`);
  const offset = Number(found.headers.get("upload-offset") ?? 0);
  checkOffset(offset, audio.length);
  // Other protocols do not tell the length when they begin.
  const length: Record<string, string> =
    found.headers.get("upload-length") === null && found.status === 200
      ? { "upload-length": String(audio.length) }
      : {};
  const end = Math.min(Math.max(until, offset), audio.length);
  const { status, code } = await peer.patch(path, offset, audio.subarray(offset, end), length);
  if (status !== 204) throw new Error(`PATCH: ${status} ${code}`);
  if (until < audio.length) throw new CutOff();
  return null;
}

function checkOffset(offset: number, size: number): void {
  if (!(offset >= 0 && offset <= size)) throw new WrongAnswer(`resumed at ${offset} of ${size}`);
}
