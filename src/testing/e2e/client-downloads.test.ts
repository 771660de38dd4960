/** Downloads with the client: to standard output, over existing files, and after an interruption. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { ClientTerminal } from "../harness/client-terminal.ts";
import { runClient, startClient } from "../harness/client-process.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const audio = new Random(1).bytes(3 * MiB);

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("song", audio);
  await peer.upload("other", audio.subarray(0, 1000));
});

afterAll(async () => {
  await server.dispose();
});

describe.each(["v1", "legacy"])("download over %s", (protocol) => {
  const args = (...more: string[]) => ["download", ...more, "--protocol", protocol, "-s", server.url];

  test("-o - writes the audio to standard output, and the report to standard error", async () => {
    const child = startClient(args("song", "-o", "-"));
    const [out, err, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
    expect(code).toBe(0);
    expect(sha256(out)).toBe(sha256(audio));
    expect(err).toMatch(/^Result +identical to what was uploaded$/m);
    const json = startClient(args("song", "-o", "-", "--json"));
    expect(sha256(await json.stdout.bytes())).toBe(sha256(audio));
    expect(JSON.parse(await json.stderr.text())).toMatchObject({ verified: true, output: "-" });
    expect((await runClient(args("song", "other", "-o", "-"))).code).toBe(2);
  });

  test("-o FILE overwrites only with --force", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "song.wav");
    writeFileSync(path, "precious");
    const refused = await runClient(args("song", "-o", path));
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(`there is a file already: ${path} (overwrite it with --force`);
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(await runClient(args("song", "-o", path, "--force"))).toMatchObject({ code: 0, err: "" });
    expect(sha256(readFileSync(path))).toBe(sha256(audio));
    expect(readdirSync(folder.path)).toEqual(["song.wav"]);
  });

  test("into a folder keeps what is there already, and names what is in the way", async () => {
    using folder = temporaryFolder();
    const into = `${folder.path}/`;
    writeFileSync(join(folder.path, "other"), "precious");
    const first = await runClient(args("song", "other", "-o", into, "--json"));
    expect(first.code).toBe(1);
    expect(JSON.parse(first.out)).toMatchObject({
      failed: ["other"],
      errors: [{ id: "other", code: "USAGE" }],
    });
    const again = await runClient(args("song", "other", "-o", into, "--force", "--json"));
    expect(again.code).toBe(0);
    expect(await runClient(args("song", "other", "-o", into))).toMatchObject({ code: 0, err: "" });
  });

  test("that is killed goes on where it was", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "song.wav");
    using proxy = await TcpProxy.open(Number(new URL(server.url).port));
    // Holds the rest of the audio back, so that the download is in the middle when it is killed.
    proxy.limitDownstream(1 * MiB);
    const address = `127.0.0.1:${proxy.port}`;
    const child = startClient(["download", "song", "-o", path, "--protocol", protocol, "-s", address]);
    await until("a part of the file", testLimitMs / 2, () => {
      const [part] = readdirSync(folder.path);
      return part !== undefined && readFileSync(join(folder.path, part)).length > 100_000 ? part : undefined;
    });
    child.kill("SIGKILL");
    await child.exited;
    const again = await runClient(args("song", "-o", path, "--json"));
    expect(again).toMatchObject({ code: 0, err: "" });
    const { kept, verified, size } = JSON.parse(again.out) as {
      kept: number;
      verified: boolean;
      size: number;
    };
    expect(kept).toBeGreaterThan(100_000);
    expect({ verified, size }).toEqual({ verified: true, size: audio.length });
    expect(sha256(readFileSync(path))).toBe(sha256(audio));
    expect(readdirSync(folder.path)).toEqual(["song.wav"]);
  });
});

test("on a terminal, the progress of a transfer has its name, amount, speed and time left", async () => {
  using folder = temporaryFolder();
  using proxy = await TcpProxy.open(Number(new URL(server.url).port));
  proxy.slowDownstream(1024);
  const args = ["download", "song", "-o", "song.wav", "-s", `127.0.0.1:${proxy.port}`];
  using terminal = new ClientTerminal(args, folder.path);
  expect(await terminal.exit()).toBe(0);
  expect(terminal.text).toMatch(
    /download song \[[=-]+\] \d+% [\d.]+ MiB of 3\.00 MiB, [\d.]+ [KM]iB\/s, [\d.]+ m?s left/,
  );
});
