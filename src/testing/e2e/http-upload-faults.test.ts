/** Uploads over plain HTTP while the server stops or its disk is full, and by programs that write by URL. */
import { describe, expect, test } from "bun:test";
import { Random, sha256 } from "../harness/bytes.ts";
import { audioPath, expectStored, HttpUpload } from "../harness/http/http-upload.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { canMountSmallDisk, onSmallDisk } from "../harness/small-disk.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1 << 20;
const audio = new Uint8Array(new Random(1).bytes(3 * MiB));
const sample = "data/samples/music-44k-stereo.mp3";

test("SIGTERM amid uploads answers them, keeps what came, and leaves it to be resumed", async () => {
  await using server = await TestServer.start();
  const uploads = [undefined, audio.length].map(async (length, index) => {
    const upload = await HttpUpload.open(server.httpBase, audioPath(`u${index}`), { length });
    upload.send(audio.subarray(0, 2 * MiB));
    return upload;
  });
  const open = await Promise.all(uploads);
  for (const index of open.keys()) {
    await until("the audio", 10_000, async () => {
      return (await streamInfo(server.httpBase, `u${index}`))?.size === 2 * MiB;
    });
  }
  const [code, ...outcomes] = await Promise.all([server.stop(), ...open.map((each) => each.outcome())]);
  expect(code).toBe(0);
  expect(outcomes).toEqual(["503 SHUTTING_DOWN", "503 SHUTTING_DOWN"]);
  await server.restart();
  using peer = await AudioCachePeer.open(server.url);
  for (const index of open.keys()) {
    expect(await peer.resume(`u${index}`)).toBe(2 * MiB);
    await peer.sendAudio(audio.subarray(2 * MiB));
    expect(await peer.stop(`u${index}`)).toMatchObject({ sha256: sha256(audio) });
  }
});

test.skipIf(!canMountSmallDisk())(
  "a full disk ends an upload with 507, and the audio before it stays",
  async () => {
    await using server = await TestServer.start(onSmallDisk(16));
    using upload = await HttpUpload.open(server.httpBase, audioPath("full"));
    for (let sent = 0; sent < 24; sent += 1) upload.send(audio.subarray(0, MiB));
    expect(await upload.outcome()).toBe("507 DISK_FULL");
    const { state, size } = (await streamInfo(server.httpBase, "full"))!;
    expect(state).toBe("unfinished");
    expect(size).toBeGreaterThan(MiB);
  },
);

async function run(...command: string[]): Promise<string> {
  const { stdout, exitCode, stderr } = await Bun.$`${command}`.nothrow().quiet();
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}

describe("a program", () => {
  test.skipIf(Bun.which("curl") === null)("sends a file, and its standard input: curl", async () => {
    await using server = await TestServer.start();
    const bytes = await Bun.file(sample).bytes();
    await run("curl", "-sfT", sample, `${server.httpBase}${audioPath("file")}`);
    await Bun.$`curl -sfT - ${server.httpBase}${audioPath("piped")} < ${sample}`.quiet();
    for (const id of ["file", "piped"]) await expectStored(server.httpBase, id, bytes);
  });

  test.skipIf(Bun.which("ffmpeg") === null)(
    "writes a stream, and one that is heard live: ffmpeg",
    async () => {
      await using server = await TestServer.start();
      const encode = ["-i", sample, "-f", "ogg", "-c:a", "libopus", "-page_duration", "100000"];
      const ffmpeg = ["ffmpeg", "-loglevel", "error"];
      await run(...ffmpeg, ...encode, "-method", "PUT", `${server.httpBase}${audioPath("whole")}`);
      // It does not wait for the answer.
      await until("the format", 10_000, async () => {
        return (await streamInfo(server.httpBase, "whole"))?.format === "audio/ogg; codecs=opus";
      });
      const live = `${server.httpBase}${audioPath("live")}`;
      const writing = run(
        ...ffmpeg,
        "-re",
        "-t",
        "3",
        ...encode,
        "-method",
        "PUT",
        "-chunked_post",
        "1",
        live,
      );
      await until("the beginning", 10_000, async () => {
        return ((await streamInfo(server.httpBase, "live"))?.size ?? 0) > 0;
      });
      const heard = await (await fetch(`${live}?follow=1`)).bytes();
      await writing;
      expect(heard.length).toBeGreaterThan(10_000);
      await expectStored(server.httpBase, "live", heard);
    },
  );
});
