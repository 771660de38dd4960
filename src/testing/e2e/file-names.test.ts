/** What names of files become: ids that differ, and names by which streams are found. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { runClient } from "../harness/client-process.ts";
import { listStreams, removeStream, streamInfo } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

function put(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, path);
  return path;
}

/** The ids that an upload of these paths gives, by the path of each file. */
async function upload(...paths: string[]): Promise<Map<string, string>> {
  const { out, err, code } = await runClient(["upload", ...paths, "--json", "-s", server.url]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const { files } = JSON.parse(out) as { files: { path: string; streamId: string }[] };
  return new Map(files.map(({ path, streamId }) => [path, streamId]));
}

test("names that differ only in characters that ids cannot have become different streams", async () => {
  using folder = temporaryFolder();
  const names = [
    "Été.wav",
    "Ete.wav",
    "日本.wav",
    "中国.wav",
    "a b.wav",
    "a_b.wav",
    "sub/a.wav",
    "sub.a.wav",
  ];
  const paths = names.map((name) => put(folder.path, "names", name));
  const ids = await upload(join(folder.path, "names"));
  expect(new Set(ids.values()).size).toBe(names.length);
  for (const [index, path] of paths.entries()) {
    const info = await streamInfo(server.httpBase, ids.get(path)!);
    expect(info?.metadata.tags).toEqual({ name: `names/${names[index]}` });
  }
});

test("an id stays the same when other files come and go, and however the file is named in the command", async () => {
  using folder = temporaryFolder();
  const album = join(folder.path, "album");
  const [first, second] = [put(album, "a b.wav"), put(album, "plain.wav")];
  const before = await upload(album);
  put(album, "a_b.wav");
  rmSync(second);
  const after = await upload(album);
  expect(after.get(first)).toBe(before.get(first)!);
  const alone = await upload(first, put(folder.path, "else", "other.wav"));
  expect(alone.get(first)).toBe(before.get(first)!);
});

test("two albums with a file of the same name are two streams, which are found by the album's name too", async () => {
  using folder = temporaryFolder();
  const [one, two] = [put(folder.path, "one", "track01.wav"), put(folder.path, "two", "track01.wav")];
  await upload(dirname(one));
  await upload(dirname(two));
  expect(await streamInfo(server.httpBase, "track01.wav")).toBeUndefined();
  expect(await streamInfo(server.httpBase, "one/track01.wav")).toMatchObject({ streamId: "one.track01.wav" });
  const back = join(folder.path, "back.wav");
  for (const protocol of ["v1", "legacy"]) {
    const args = ["download", "two/track01.wav", "-o", back, "--protocol", protocol, "-s", server.url];
    expect(await runClient(args)).toMatchObject({ code: 0, err: "" });
    expect(readFileSync(back, "utf8")).toBe(two);
    rmSync(back);
  }
  expect(await removeStream(server.httpBase, "one.track01.wav")).toBe(204);
  expect(await streamInfo(server.httpBase, "track01.wav")).toMatchObject({ streamId: "two.track01.wav" });
  expect(await removeStream(server.httpBase, "track01.wav")).toBe(404);
});

test("two files of one command that would be the same stream are refused, and nothing is sent", async () => {
  using folder = temporaryFolder();
  const [one, two] = [put(folder.path, "a", "live", "x.wav"), put(folder.path, "b", "live", "x.wav")];
  const before = await listStreams(server.httpBase);
  const { code, err } = await runClient(["upload", dirname(one), dirname(two), "-s", server.url]);
  expect(code).toBe(2);
  expect(err).toContain(`two files would be one stream, live.x.wav: ${one} and ${two}`);
  expect(await listStreams(server.httpBase)).toEqual(before);
  expect((await upload(one, one, dirname(one))).size).toBe(1);
});
