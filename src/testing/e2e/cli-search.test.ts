/** What the commands make of names and tags, with the real server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesSource } from "../../client/audio-source.ts";
import { changeStream } from "../../client/http/streams.ts";
import { connect } from "../../client/v1/bun.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { runClient } from "../harness/client-process.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const mp3 = new Uint8Array(readFileSync("data/samples/music-44k-stereo.mp3"));
const folder = temporaryFolder();
let server: TestServer;

async function upload(id: string, tags: Record<string, string>, bytes = mp3): Promise<void> {
  const client = await connect(server.url);
  await client.upload(bytesSource(bytes), { id, metadata: { tags } });
  client.close();
}

function run(...args: string[]) {
  return runClient([...args, "-s", server.url], { cwd: folder.path });
}

beforeAll(async () => {
  server = await TestServer.start();
  await upload("one", { title: "Aria", artist: "Bach", name: "goldberg/01 Präludium.mp3" });
  await upload("two", { title: "Fuga", artist: "Bach", name: "other/01 Präludium.mp3" }, new Uint8Array(7));
  await upload("evil", { name: "../../.ssh/..\\.profile" }, new Uint8Array(9));
});

afterAll(async () => {
  await server.dispose();
  folder[Symbol.dispose]();
});

test("list searches by words and tags, and sorts", async () => {
  const ids = async (...args: string[]) => {
    const { out, code, err } = await run("list", ...args, "--json");
    expect(code, err).toBe(0);
    return (JSON.parse(out) as { streams: { streamId: string }[] }).streams.map(({ streamId }) => streamId);
  };
  expect(await ids("pralu", "--tag", "artist=bach", "--sort=size")).toEqual(["two", "one"]);
  expect(await ids("ari")).toEqual(["one"]);
  expect(await ids("--sort=-title", "--limit", "2", "--tag", "artist=Bach", "--tag", "title=Aria")).toEqual([
    "one",
  ]);
  expect((await run("list", "--tag", "artist")).code).not.toBe(0);
  expect((await run("list", "ari")).out).toContain("Aria");
});

test("info shows name and tags", async () => {
  const { out } = await run("info", "one");
  for (const text of ["01 Präludium.mp3", "Tag artist", "Bach"]) expect(out).toContain(text);
});

test("the client library changes tags", async () => {
  const changed = await changeStream("two", { tags: { mood: "calm" } }, { url: server.url });
  expect(changed?.metadata?.tags["mood"]).toBe("calm");
  expect(await changeStream("none", { title: "x" }, { url: server.url })).toBeUndefined();
});

test("download restores the names of files, each in the folder, and overwrites none", async () => {
  mkdirSync(join(folder.path, "out"));
  const { code, err } = await run("download", "one", "two", "evil", "-o", "out", "--parallel", "1");
  expect(code, err).toBe(0);
  expect(readdirSync(join(folder.path, "out")).toSorted()).toEqual([
    "01 Präludium.mp3",
    "profile",
    "two-01 Präludium.mp3",
  ]);
  expect(existsSync(join(folder.path, ".ssh"))).toBe(false);
  writeFileSync(join(folder.path, "out", "profile"), "mine");
  expect((await run("download", "evil", "one", "-o", "out")).code).not.toBe(0);
  expect(readFileSync(join(folder.path, "out", "profile"), "utf8")).toBe("mine");
});

test("play pipes the audio into a player", async () => {
  const players = join(folder.path, "players");
  mkdirSync(players);
  writeFileSync(join(players, "ffplay"), "#!/bin/sh\nexec /bin/cat > played\n");
  chmodSync(join(players, "ffplay"), 0o755);
  const play = (id: string) =>
    runClient(["play", id, "-s", server.url], { cwd: folder.path, env: { PATH: players } });
  const { err, code } = await play("one");
  expect([code, err]).toEqual([0, expect.stringContaining("playing with ffplay")]);
  expect(new Uint8Array(readFileSync(join(folder.path, "played")))).toEqual(mp3);
  expect((await play("none")).err).toContain("no such stream");
});
