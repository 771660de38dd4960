import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { bytesSource } from "../../client/audio-source.ts";
import { connect } from "../../client/v1/bun.ts";
import { id3Text } from "../fixtures/id3.ts";
import { listPage, streamInfo, type StreamInfo } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

const mp3 = new Uint8Array(readFileSync("data/samples/music-44k-stereo.mp3"));
const tagged = new Uint8Array(
  Buffer.concat([id3Text({ TIT2: "Präludium", TPE1: "Bach", TALB: "x".repeat(600) }), mp3]),
);

async function upload(id: string, bytes: Uint8Array<ArrayBuffer>, tags = {}): Promise<void> {
  const client = await connect(server.url);
  await client.upload(bytesSource(bytes), { id, metadata: { tags } });
  client.close();
}

async function described(id: string): Promise<StreamInfo> {
  return await until(`the properties of ${id}`, testLimitMs / 2, async () => {
    const info = await streamInfo(server.httpBase, id);
    return info?.audio === null ? undefined : info;
  });
}

test("finished audio gets its properties and the tags inside it, and is found by them", async () => {
  await upload("tagged", tagged);
  const { audio, title, metadata } = await described("tagged");
  expect(audio).toMatchObject({ container: "MPEG", sampleRate: 44_100, channels: 2 });
  expect(audio!.duration).toBeWithin(1, 20);
  expect(audio!.bitRate).toBeGreaterThan(10_000);
  expect(title).toBe("Präludium");
  expect(metadata.tags).toEqual({ title: "Präludium", artist: "Bach" });
  expect((await listPage(server.httpBase, "?q=pralu")).total).toBe(1);
});

test("tags of the client stay as they are", async () => {
  await upload("named", tagged, { title: "Mine" });
  expect((await described("named")).metadata.tags).toEqual({ title: "Mine", artist: "Bach" });
});

test("audio that is damaged behind its head says nothing, and is whole for its readers", async () => {
  const damaged = tagged.slice(0, 5_000);
  damaged.fill(0xff, 600, 3_000);
  await upload("damaged", damaged);
  await described("damaged");
  const audio = await fetch(`${server.httpBase}/api/streams/damaged/audio`);
  expect(new Uint8Array(await audio.arrayBuffer())).toEqual(damaged);
});

test("properties that a kill has prevented are read after the next start", async () => {
  await upload("killed", tagged);
  await server.kill9();
  await server.restart();
  expect((await described("killed")).audio).toMatchObject({ container: "MPEG" });
});

test("bytes that are no audio have no properties", async () => {
  await upload("bytes", new Uint8Array(1000));
  await upload("later", tagged);
  await described("later");
  expect((await streamInfo(server.httpBase, "bytes"))!.audio).toBeNull();
});
