/** Uploads that the archive has afterwards, and whether it has them as it should. */
import { expect } from "bun:test";
import { sha256 } from "./bytes.ts";
import { AudioCachePeer } from "./peers/audio-cache.ts";
import type { TestServer } from "./server.ts";
import type { ObjectStore } from "./servers/object-store.ts";
import { until } from "./until.ts";

const limitMs = 18_000;

export async function uploadTo(server: TestServer, id: string, bytes: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, bytes);
}

/** Every finished stream is read whole, and its object is in the archive once, unharmed; nothing else is there. */
export async function expectWhole(
  server: TestServer,
  store: ObjectStore,
  audio: Map<string, Uint8Array>,
): Promise<void> {
  const wanted = [...audio.values()].map(sha256).toSorted();
  const isThere = async () => JSON.stringify(await store.objects()) === JSON.stringify(wanted);
  await until("each object once", limitMs, isThere, () => server.log);
  for (const key of await store.keys())
    if (key.startsWith("objects/")) expect(sha256(store.bytesOf(key))).toBe(key.split("/")[2]!.slice(0, 64));
  using peer = await AudioCachePeer.open(server.url);
  for (const [id, bytes] of audio) expect(sha256(await peer.download(id, bytes.length))).toBe(sha256(bytes));
  await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
}
