/** The commands over protocol v1 with the real server, which is killed and started again meanwhile. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileStreamId } from "../../cli/upload/file-stream-id.ts";
import { connect } from "../../client/v1/bun.ts";
import { runClient, startClient } from "../harness/client-process.ts";
import { type Random, seeded, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until, within } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();
const samples = join(import.meta.dir, "../../../data/samples");
const limitMs = testLimitMs - 10_000;

interface WrittenFile {
  name: string;
  audio: Uint8Array;
}

/** By the ids that they are uploaded under. */
function writeFiles(folder: string, count: number, bytes: number, random: Random): Map<string, WrittenFile> {
  mkdirSync(join(folder, "sub"), { recursive: true });
  const files = new Map<string, WrittenFile>();
  for (let i = 0; i < count; i += 1) {
    const audio = random.bytes(random.int(bytes >> 1, bytes));
    const name = i % 4 === 0 ? `sub/song ${i}.wav` : `song${i}.wav`;
    writeFileSync(join(folder, name), audio);
    files.set(fileStreamId(`music/${name}`), { name, audio });
  }
  return files;
}

test(
  "upload of a folder survives a kill of the server in the middle, and all files can be downloaded",
  seeded(async (random) => {
    await using server = await TestServer.start();
    using folder = temporaryFolder();
    const music = join(folder.path, "music");
    const files = writeFiles(music, 32, 12_000_000, random);
    const upload = ["upload", music, "--parallel", "32", "-s", server.url];
    const child = startClient(upload);
    const output = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const peer = await connect(server.url);
    await until("the middle of the uploads", limitMs, async () => {
      const { streams } = await peer.list();
      return streams.some(({ size }) => size > 500_000);
    });
    peer.close();
    const port = Number(new URL(server.url).port);
    await server.kill9();
    const done = await within("nothing, while there is no server", 500, child.exited).catch(() => undefined);
    expect(done).toBeUndefined();
    await server.restart({ flags: { port } });
    const [out, err, code] = await within("the end of the command", limitMs, output);
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain("reconnecting: connection lost\n");
    expect(err).toContain("\nconnected again\n");
    expect(out).toMatch(/^Files +32 of 32$/m);
    expect(out.match(/^verified {2}/gm)).toHaveLength(32);

    const again = await runClient(upload);
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(again.out).toMatch(/^Before +[\d.]+ MiB were there already$/m);

    const back = join(folder.path, "back");
    const download = await runClient(["download", ...files.keys(), "-o", `${back}/`, "-s", server.url]);
    expect(download).toMatchObject({ code: 0, err: "" });
    expect(download.out).toMatch(/^Result +32 identical to what was uploaded$/m);
    for (const { name, audio } of files.values()) {
      expect(sha256(readFileSync(join(back, basename(name))))).toBe(sha256(audio));
    }
  }),
);

test("a file that fails does not affect the others", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  const music = join(folder.path, "in");
  mkdirSync(music);
  const file = (name: string, text: string) => writeFileSync(join(music, name), text);
  file("a.wav", "one");
  file("b.wav", "two");
  const peer = await connect(server.url);
  const writer = peer.openWrite({ id: "in.b.wav" }).writable.getWriter();
  await writer.write(new TextEncoder().encode("other"));
  await writer.close();
  peer.close();
  const up = await runClient(["upload", music, "-s", server.url]);
  expect(up.code).toBe(1);
  expect(up.out).toContain("verified  in.a.wav");
  expect(up.err).toMatch(
    /^b\.wav: error: .*another stream has the id in\.b\.wav .*\nerror: 1 of 2 files are not/,
  );
  const down = await runClient([
    "download",
    "in.a.wav",
    "none",
    "-o",
    join(folder.path, "back/"),
    "-s",
    server.url,
  ]);
  expect(down.code).toBe(1);
  expect(down.out).toContain("identical  in.a.wav");
  expect(down.err).toMatch(/^none: error: no such stream: none .*\nerror: 1 of 2 streams are not/);
});

test("a file that cannot be read is named, and the others are uploaded", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  const music = join(folder.path, "in");
  mkdirSync(music);
  const path = (name: string) => join(music, name);
  writeFileSync(path("a.wav"), "one");
  writeFileSync(path("z.wav"), "two");
  symlinkSync("/nowhere/old.wav", path("gone.wav"));
  symlinkSync("loop.wav", path("loop.wav"));
  const { code, out, err } = await runClient(["upload", music, "-s", server.url]);
  expect(code).toBe(1);
  expect(out).toContain("verified  in.a.wav");
  expect(out).toContain("verified  in.z.wav");
  expect(out).toContain("Files   2 of 4\n");
  expect(err.split("\n")).toEqual([
    `gone.wav: error: the link leads to nothing: ${path("gone.wav")} (it names /nowhere/old.wav; correct or remove it)`,
    `loop.wav: error: the symbolic links of the path form a loop: ${path("loop.wav")} (check the path)`,
    "error: 2 of 4 files are not uploaded (they cannot be read)",
    "",
  ]);
  // A shell expands a pattern to links that lead nowhere too.
  const paths = ["gone.wav", "z.wav"].map(path);
  const named = await runClient(["upload", ...paths, "--json", "-s", server.url]);
  expect(named.code).toBe(1);
  const { files, failed } = JSON.parse(named.out);
  expect(files.map((file: { path: string }) => file.path)).toEqual([path("z.wav")]);
  expect(failed).toEqual([path("gone.wav")]);
});

/** Without what protocol v1 does not tell. Every stream must have it over HTTP. */
function withoutAudio(answer: unknown): unknown {
  const { streams, ...rest } = answer as { streams?: object[] };
  if (streams !== undefined) return { streams: streams.map(withoutAudio), ...rest };
  expect(Object.keys(rest)).toEqual(expect.arrayContaining(["audio", "damaged"]));
  return { ...rest, audio: undefined, damaged: undefined };
}

function withoutAudioRows(out: string): string {
  return out.replaceAll(/^(?:Audio|Duration) .*\n/gm, "");
}

test("list, info and rm agree with the HTTP API", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  // The server derives the same from the file as the client from its name.
  const music = join(folder.path, "in");
  mkdirSync(music);
  copyFileSync(join(samples, "speech-16k-mono.wav"), join(music, "a.wav"));
  copyFileSync(join(samples, "music-44k-stereo.mp3"), join(music, "b.mp3"));
  expect(await runClient(["upload", music, "-s", server.url])).toMatchObject({ code: 0 });
  for (const args of [
    ["list", "--json"],
    ["list", "--limit", "1"],
    ["info", "in.b.mp3"],
    ["info", "in.b.mp3", "--json"],
    ["info", "b.mp3", "--json"],
  ]) {
    const [v1, http] = await Promise.all(
      ["v1", "legacy"].map((protocol) => runClient([...args, "--protocol", protocol, "-s", server.url])),
    );
    expect([v1!.code, v1!.err]).toEqual([0, http!.err]);
    expect(http!.code).toBe(0);
    if (args.includes("--json")) expect(withoutAudio(JSON.parse(http!.out))).toEqual(JSON.parse(v1!.out));
    else expect(withoutAudioRows(http!.out)).toEqual(v1!.out);
  }
  expect((await runClient(["rm", "in.a.wav", "-s", server.url])).out).toBe("removed in.a.wav\n");
  expect((await runClient(["rm", "in.a.wav", "-s", server.url])).code).toBe(1);
});

test("follow writes a stream to standard output while it is uploaded", async () => {
  await using server = await TestServer.start();
  const peer = await connect(server.url);
  const writing = peer.openWrite({ id: "live" });
  const writer = writing.writable.getWriter();
  await writer.write(new TextEncoder().encode("first "));
  await until("it is there", limitMs, () => writing.progress.durable > 0);
  const child = startClient(["follow", "live", "-s", server.url]);
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  expect(decoder.decode((await within("the beginning", limitMs, reader.read())).value)).toBe("first ");
  await writer.write(new TextEncoder().encode("second"));
  await writer.close();
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read())
    rest += decoder.decode(read.value);
  expect(rest).toBe("second");
  expect(await child.exited).toBe(0);
  expect(await child.stderr.text()).toBe("finished: 12 B\n");
  peer.close();
});
