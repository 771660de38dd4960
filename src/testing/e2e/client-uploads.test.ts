/** What the command line says about uploads: what it left out, how to continue, what it sent, and JSON for programs. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { type FinishedClient, runClient, startClient } from "../harness/client-process.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
const samples = join(import.meta.dir, "../../../data/samples");
const MiB = 1024 * 1024;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

describe("a folder", () => {
  test("is uploaded without what is empty or no audio, which is named, and with it under --all", async () => {
    using folder = temporaryFolder();
    const music = join(folder.path, "mixed");
    mkdirSync(music);
    const put = (name: string, text: string) => writeFileSync(join(music, name), text);
    put("song.wav", "random bytes with the extension of audio");
    put("silence.wav", "");
    put("cover.jpg", "no audio");
    put("notes", "no audio");
    copyFileSync(join(samples, "music-44k-stereo.mp3"), join(music, "unnamed"));
    const { code, out, err } = await runClient(["upload", music, "-s", server.url]);
    expect(code).toBe(0);
    expect(out).toContain("Files   2 of 2\n");
    expect(err.split("\n")).toEqual([
      "cover.jpg: not sent, no audio (--all sends it)",
      "notes: not sent, no audio (--all sends it)",
      "silence.wav: not sent, empty (--all sends it)",
      "",
    ]);
    const json = await runClient(["upload", music, "--json", "-s", server.url]);
    expect(JSON.parse(json.out)).toMatchObject({
      files: [{}, {}],
      failed: [],
      ignored: [
        { path: join(music, "cover.jpg"), reason: "no audio" },
        { path: join(music, "notes"), reason: "no audio" },
        { path: join(music, "silence.wav"), reason: "empty" },
      ],
    });
    const all = await runClient(["upload", music, "--all", "-s", server.url]);
    expect(all).toMatchObject({ code: 0, err: "" });
    expect(all.out).toContain("Files   5 of 5\n");
    const named = await runClient([
      "upload",
      join(music, "notes"),
      join(music, "cover.jpg"),
      "-s",
      server.url,
    ]);
    expect(named).toMatchObject({ code: 0, err: "" });
  });

  test("of nothing but other files is an error that says so", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "cover.jpg"), "no audio");
    const { code, err } = await runClient(["upload", folder.path, "-s", server.url]);
    expect(code).toBe(1);
    expect(err).toContain("no audio files found (--all sends");
  });
});

describe.each(["v1", "legacy"])("an upload over %s that is interrupted", (protocol) => {
  test("tells the id and the command that continues, which sends only the rest", async () => {
    await using own = await TestServer.start();
    using folder = temporaryFolder();
    const file = join(folder.path, "it's long.wav");
    const audio = new Random(1).bytes(80 * MiB);
    writeFileSync(file, audio);
    const child = startClient(["upload", file, "--protocol", protocol, "-s", own.url]);
    await until("a part of the upload", testLimitMs / 2, async () => {
      const streams = await listStreams(own.httpBase, "unfinished");
      return streams.find(({ size }) => size > MiB);
    });
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    const err = await child.stderr.text();
    const command = /interrupted \(continue with: bun run client (.*)\)$/m.exec(err)?.[1] ?? "";
    const [, id = ""] = /--resume (\S+)/.exec(command) ?? [];
    expect(command).toBe(`upload '${file.replace("'", "'\\''")}' --resume ${id} -s ${own.url}`);
    await until("the server to keep what it has", testLimitMs / 2, async () => {
      return (await streamInfo(own.httpBase, id))?.state === "unfinished" || undefined;
    });

    const words = Bun.spawnSync(["sh", "-c", `printf '%s\\n' ${command}`])
      .stdout.toString()
      .trim()
      .split("\n");
    const again = await runClient([...words, "--json"]);
    expect(again).toMatchObject({ code: 0, err: "" });
    const result = JSON.parse(again.out) as { streamId: string; size: number; kept: number; sha256: string };
    expect(result).toMatchObject({ streamId: id, size: audio.length, sha256: sha256(audio) });
    expect(result.kept).toBeGreaterThan(MiB);
    const whole = await runClient([...words]);
    expect(whole.out).toMatch(/^Upload +0 B in/m);
    expect(whole.out).toMatch(/^Before +80\.00 MiB were there already$/m);
  });
});

test("a folder that is interrupted says that the same command continues", async () => {
  await using own = await TestServer.start();
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "long.wav"), new Random(2).bytes(80 * MiB));
  const child = startClient(["upload", folder.path, "-s", own.url]);
  await until("a part of the upload", testLimitMs / 2, async () => (await listStreams(own.httpBase))[0]);
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  expect(await child.stderr.text()).toContain("interrupted (repeat the same command to continue)");
});

describe("a server's address", () => {
  test("may be ws://, http:// or HOST:PORT for every command", async () => {
    const { host } = new URL(server.url);
    const song = join(samples, "music-44k-stereo.mp3");
    using folder = temporaryFolder();
    for (const address of [host, `http://${host}`, `ws://${host}/audio`]) {
      const at = ["-s", address];
      const ran = [
        await runClient(["upload", song, "--id", `x${address.length}`, ...at]),
        await runClient(["info", `x${address.length}`, ...at]),
        await runClient([
          "download",
          `x${address.length}`,
          "-o",
          join(folder.path, `${address.length}`),
          ...at,
        ]),
        await runClient(["rm", `x${address.length}`, ...at]),
        await runClient(["recordings", ...at]),
        await runClient(["devices", ...at]),
        await runClient(["songs", ...at]),
        await runClient(["list", ...at]),
      ];
      expect(ran.map(({ code, err }) => `${code} ${err}`)).toEqual(ran.map(() => "0 "));
    }
  });
});

/** The error that the command prints as its result; the line for people has the same message. */
function errorOf({ out, err, code }: FinishedClient): { code: number; error: string } {
  const { error } = JSON.parse(out) as { error: { code: string; message: string; hint: string | null } };
  expect(err).toContain(error.message);
  return { code, error: error.code };
}

describe("--json", () => {
  test("makes an error the result of every command", async () => {
    const at = ["--json", "-s", server.url];
    expect(errorOf(await runClient(["info", "none", ...at]))).toEqual({ code: 1, error: "FAILED" });
    expect(errorOf(await runClient(["rm", "none", ...at]))).toEqual({ code: 1, error: "FAILED" });
    expect(errorOf(await runClient(["download", "none", ...at]))).toEqual({ code: 1, error: "FAILED" });
    expect(errorOf(await runClient(["upload", "/none", ...at]))).toEqual({ code: 1, error: "FAILED" });
    expect(errorOf(await runClient(["listen", "none", ...at]))).toMatchObject({ code: 1 });
    expect(errorOf(await runClient(["list", "--limit", "x", ...at]))).toEqual({ code: 2, error: "USAGE" });
    expect(errorOf(await runClient(["list", "--wrong", ...at]))).toEqual({ code: 2, error: "USAGE" });
    expect(errorOf(await runClient(["-i", "/none", ...at]))).toEqual({ code: 1, error: "FAILED" });
    const songs = ["song", "none", "--tls", "localhost:1", "--json"];
    expect(errorOf(await runClient(songs))).toEqual({ code: 1, error: "UNREACHABLE" });
    const dead = ["info", "x", "--json", "-s", "127.0.0.1:1"];
    expect(errorOf(await runClient(dead))).toEqual({ code: 1, error: "UNREACHABLE" });
  });

  test("prints the result of round trips and removals", async () => {
    using folder = temporaryFolder();
    const song = join(samples, "music-44k-stereo.mp3");
    const trip = await runClient(["-i", song, "-o", join(folder.path, "back"), "--json", "-s", server.url]);
    expect(trip).toMatchObject({ code: 0, err: "" });
    const { streamId, identical } = JSON.parse(trip.out) as { streamId: string; identical: boolean };
    expect(identical).toBe(true);
    const removed = await runClient(["rm", streamId, "--json", "-s", server.url]);
    expect(JSON.parse(removed.out)).toEqual({ removed: streamId });
  });
});
