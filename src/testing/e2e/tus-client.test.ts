import { afterAll, beforeAll, expect, test } from "bun:test";
import { Readable } from "node:stream";
import { type DetailedError, Upload, type UploadOptions } from "tus-js-client";
import { KiB, MiB } from "../../base/limits/units.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { streamIdOf } from "../harness/http/tus.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { tusSoak } from "../soak/tus.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(() => server.dispose());

const audio = new Random(1).bytes(2 * MiB + 5);

/** Uploads with the client of the tus project; resolves with the id of the stream. */
async function upload(source: Buffer | Readable, options: Partial<UploadOptions>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const endpoint = `${server.httpBase}/api/tus`;
  const client = new Upload(source, {
    endpoint,
    retryDelays: [],
    onSuccess: () => resolve(),
    onError: reject,
    ...options,
  });
  client.start();
  await promise;
  return streamIdOf(client.url!);
}

async function expectFinished(streamId: string): Promise<void> {
  const found = await streamInfo(server.httpBase, streamId);
  expect(found).toMatchObject({ state: "finished", size: audio.length, sha256: sha256(audio) });
}

const options: [string, Partial<UploadOptions>][] = [
  ["at once", {}],
  ["in pieces", { chunkSize: 300_000 }],
  ["with its creation", { uploadDataDuringCreation: true }],
  ["with its creation, and in pieces", { uploadDataDuringCreation: true, chunkSize: 300_000 }],
  ["by POST alone", { overridePatchMethod: true }],
];

test.each(options)("tus-js-client uploads %s", async (_how, how) => {
  await expectFinished(await upload(Buffer.from(audio), how));
});

test("tus-js-client uploads from a source that does not know its length", async () => {
  const source = Readable.from([Buffer.from(audio.subarray(0, MiB)), Buffer.from(audio.subarray(MiB))]);
  await expectFinished(await upload(source, { uploadLengthDeferred: true, chunkSize: 500 * KiB }));
});

test("tus-js-client finishes what another protocol has begun", async () => {
  const id = freshId("begun");
  using peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(audio.subarray(0, MiB));
  await peer.untilReceived(id, MiB);
  const uploadUrl = `${server.httpBase}/api/tus/${id}`;
  await upload(Buffer.from(audio), { uploadUrl, uploadLengthDeferred: true });
  await expectFinished(id);
});

test("tus-js-client removes an upload that it aborts", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const client = new Upload(Buffer.from(audio), {
    endpoint: `${server.httpBase}/api/tus`,
    chunkSize: 100 * KiB,
    onChunkComplete: () => resolve(),
  });
  client.start();
  await promise;
  await client.abort(true);
  expect(await streamInfo(server.httpBase, streamIdOf(client.url!))).toBeUndefined();
});

test("tus-js-client reports the error of the table", async () => {
  const refused = await upload(Buffer.from(audio), { metadata: { streamId: "../x" } }).catch(
    (error: DetailedError) => error,
  );
  expect((refused as DetailedError).originalResponse?.getBody()).toContain("BAD_STREAM_ID");
});

test(
  "tus-js-client loses nothing to cut connections and a killed server",
  seeded(async (random) => {
    const outcome = await tusSoak(random, { uploads: 20, kills: 1, concurrency: 4 });
    expect(outcome.faults).toEqual([]);
    expect(outcome).toMatchObject({ uploads: 20, kills: 1 });
    expect(outcome.retries).toBeGreaterThan(0);
  }),
);
