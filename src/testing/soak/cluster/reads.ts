/** One read of a stream, by each protocol that can. It rejects if there is no complete answer. */
import type { Random } from "../../harness/bytes.ts";
import { AudioCachePeer } from "../../harness/peers/audio-cache.ts";
import { V1Peer } from "../../harness/peers/v1.ts";
import type { Answer, Sent } from "./ledger.ts";

export type Read = (origin: string, sent: Sent, random: Random) => Promise<Omit<Answer, "where" | "began">>;

const attemptMs = 12_000;
const notFound = { outcome: "unknown", body: new Uint8Array(), offset: 0, length: 0 } as const;

export const reads: Readonly<Record<string, Read>> = {
  HTTP: wholeRead,
  "HTTP range": rangeRead,
  "protocol v1": v1Read,
  "old WebSocket": streamRead,
};

export async function wholeRead(origin: string, { id, size }: Sent): ReturnType<Read> {
  const signal = AbortSignal.timeout(attemptMs);
  const answer = await fetch(`${origin}/api/streams/${id}/audio`, { signal });
  const body = new Uint8Array(await answer.arrayBuffer());
  if (answer.status === 404) return notFound;
  if (answer.status !== 200) throw refusal(answer.status, body);
  return { outcome: "audio", body, offset: 0, length: size, headers: answer.headers.toJSON() };
}

async function rangeRead(origin: string, sent: Sent, random: Random): ReturnType<Read> {
  const { id, size } = sent;
  if (size === 0) return await wholeRead(origin, sent);
  const offset = random.int(0, size - 1);
  const length = random.int(1, Math.min(size - offset, 2_000_000));
  const headers = { range: `bytes=${offset}-${offset + length - 1}` };
  const answer = await fetch(`${origin}/api/streams/${id}/audio`, {
    headers,
    signal: AbortSignal.timeout(attemptMs),
  });
  const body = new Uint8Array(await answer.arrayBuffer());
  if (answer.status === 404) return notFound;
  if (answer.status !== 206) throw refusal(answer.status, body);
  return { outcome: "audio", body, offset, length, headers: answer.headers.toJSON() };
}

function refusal(status: number, body: Uint8Array): Error {
  return new Error(`${status} ${/"code":"(\w+)"/.exec(new TextDecoder().decode(body))?.[1] ?? ""}`);
}

async function v1Read(origin: string, { id, size }: Sent): ReturnType<Read> {
  using peer = await V1Peer.open(`${origin.replace("http", "ws")}/audio`, { revision: 2 });
  const { audio, end } = await peer.read(1, id);
  if (end.outcome !== "finished") throw new Error(`END: ${end.outcome}`);
  return { outcome: "audio", body: audio, offset: 0, length: size };
}

async function streamRead(origin: string, { id, size }: Sent): ReturnType<Read> {
  using peer = await AudioCachePeer.open(`${origin.replace("http", "ws")}/audio`);
  const body = await peer.download(id, size);
  return { outcome: "audio", body, offset: 0, length: size };
}
