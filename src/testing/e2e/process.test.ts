/** The server as a program: flags, environment, signals and output. */
import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn } from "../harness/cache-folder.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { canMountSmallDisk, onReadOnlyDisk } from "../harness/small-disk.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1024 * 1024;

const defaults: [string, string][] = [
  ["--host", "127.0.0.1"],
  ["--port", "8080"],
  ["--path", "/audio"],
  ["--cache-dir", "cache"],
  ["--recordings-dir", "data/received"],
  ["--library-dir", "data/library"],
  ["--workers", ""],
  ["--log-level", "info"],
  ["--max-stream-bytes", "4"],
  ["--max-cache-bytes", "8"],
  ["--max-connections", "4096"],
  ["--allow-host", "none"],
  ["--allow-origin", "none"],
  ["--incomplete-ttl", "86400"],
  ["--ingest-port", ""],
  ["--udp-port", "9998"],
  ["--udp-rate-mbps", "10"],
  ["--udp-allow", "127.0.0.0/8,::1/128)"],
  ["--tls-port", "9999"],
  ["--tls", "false"],
  ["--tls-cert", "none"],
  ["--tls-key", "none"],
  ["--grpc-port", "50051"],
  ["--grpc-tls", "false"],
  ["--lead-ms", "1000"],
  ["--flash", "true"],
  ["--sounds", "none"],
];

test("--help lists every flag with its default and exits 0", async () => {
  const help = await runServerToExit(["--help"]);
  expect(help.code).toBe(0);
  expect(help.stderr).toBe("");
  for (const [flag, value] of defaults) {
    const line = help.stdout.split("\n").find((line) => new RegExp(`(^|\\s)${flag}(?![\\w-])`).test(line));
    expect(line, `${flag} in the help:\n${help.stdout}`).toBeDefined();
    expect(line).toContain(value);
  }
});

const badValues: string[][] = [
  ["--port", "abc"],
  ["--port", "70000"],
  ["--port=-1"],
  ["--port", "1.5"],
  ["--workers", "0"],
  ["--workers", "many"],
  ["--log-level", "loud"],
  ["--path", "audio"],
  ["--max-stream-bytes=-5"],
  ["--max-cache-bytes", "lots"],
  ["--max-connections", "0"],
  ["--allow-host", "http://music.example"],
  ["--allow-origin", "music.example"],
  ["--incomplete-ttl", "soon"],
  ["--udp-port", "x"],
  ["--grpc-port", "70000"],
  ["--lead-ms", "soon"],
  ["--udp-rate-mbps", "0"],
  ["--udp-allow", "everybody"],
  ["--surprise=1"],
];

test("a bad flag fails the start with one line on stderr that names it, and a nonzero exit code", async () => {
  for (const args of badValues) {
    const run = await runServerToExit(["--port", "0", ...args]);
    expect(run.code, args.join(" ")).not.toBe(0);
    expect(run.stderr.trim().split("\n").length, `${args.join(" ")}: ${run.stderr}`).toBe(1);
    expect(run.stderr).toMatch(new RegExp(camelOrDashed(args[0]!)));
    expect(run.stdout).not.toMatch(/\bready\b/);
  }
});

/** `max-cache-bytes`, or `maxCacheBytes` as a flag parser may print it. */
function camelOrDashed(flag: string): string {
  const name = flag.slice(2).replace(/=.*/, "");
  return `${name}|${name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())}`;
}

test("a bad value in the environment fails the start like a bad flag", async () => {
  for (const [name, value] of [
    ["WAVECACHE_PORT", "abc"],
    ["WAVECACHE_LOG_LEVEL", "loud"],
    ["WAVECACHE_MAX_STREAM_BYTES", "-5"],
  ] as const) {
    const run = await runServerToExit([], { [name]: value });
    expect(run.code, name).not.toBe(0);
    expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
  }
});

test("the environment applies where no flag is given", async () => {
  await using server = await TestServer.start({
    env: { WAVECACHE_PATH: "/sound", WAVECACHE_MAX_STREAM_BYTES: "1000", WAVECACHE_PORT: "1" },
  });
  expect(new URL(server.url).port).not.toBe("1");
  expect(new URL(server.url).pathname).toBe("/sound");
  using peer = await AudioCachePeer.open(server.url, { path: "/sound/?x=1" });
  await peer.start("x");
  peer.socket.binary(new Uint8Array(1001));
  await peer.expectError(/larger than allowed/);
});

test("the ready line is one line on stdout with a working address", async () => {
  await using server = await TestServer.start();
  const lines = server.stdout.split("\n").filter((line) => /\bready\b/.test(line));
  expect(lines.length).toBe(1);
  expect(lines[0]).toContain(server.url);
  expect(server.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/audio$/);
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from("audio"));
});

test("a port in use fails the start with one line that names it", async () => {
  await using server = await TestServer.start();
  const folder = mkdtempSync(join(tmpdir(), "wavecache-e2e-"));
  try {
    const port = new URL(server.url).port;
    const run = await runServerToExit(["--port", port, "--cache-dir", join(folder, "cache")]);
    expect(run.code).not.toBe(0);
    expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
    expect(run.stderr).toContain(port);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an unusable cache folder fails the start with one line that names it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wavecache-e2e-"));
  try {
    const file = join(folder, "a-file");
    await Bun.write(file, "not a folder");
    for (const cacheDir of [file, join(file, "below")]) {
      const run = await runServerToExit(["--port", "0", "--cache-dir", cacheDir]);
      expect(run.code).not.toBe(0);
      expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
      expect(run.stderr).toContain(file);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an address that the server cannot have fails the start with one line that says what to do", async () => {
  using folder = temporaryFolder();
  const folders = ["cache", "recordings", "library"].flatMap((n) => [`--${n}-dir`, join(folder.path, n)]);
  for (const port of ["port", "ingest-port", "tls-port", "udp-port", "grpc-port"]) {
    for (const [host, reason] of [
      ["8.8.8.8", "EADDRNOTAVAIL"],
      ["no-such-host.invalid", ""],
    ] as const) {
      const ports = port === "port" ? ["--port", "0"] : ["--port", "0", `--${port}`, "0"];
      const run = await runServerToExit([...ports, "--host", host, ...folders], {}, 15_000);
      expect(run.code).toBe(1);
      expect(run.stderr).toMatch(
        new RegExp(`^wavecache: cannot listen on ${host}:0: .*${reason}.* \\(--host takes`),
      );
      expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
    }
  }
});

test.skipIf(!canMountSmallDisk())(
  "a folder on a read-only file system fails the start and is named",
  async () => {
    using folder = temporaryFolder();
    const disk = join(folder.path, "disk");
    for (const readOnly of ["cache", "recordings"]) {
      const args = ["cache", "recordings", "library"].flatMap((name) => [
        `--${name}-dir`,
        join(name === readOnly ? disk : folder.path, name),
      ]);
      const run = await runServerToExit(["--port", "0", ...args], {}, 5_000, onReadOnlyDisk(disk));
      expect(run.code).toBe(1);
      expect(run.stderr).toMatch(
        /^wavecache: folder cannot be written: .*EROFS.*disk.* \(check .*read-only\)\n$/,
      );
    }
  },
);

test.skipIf(process.platform === "win32")(
  "a start creates the cache folder for its owner alone, and warns once of a wider one",
  async () => {
    await using server = await TestServer.start();
    expect(statSync(server.cacheDir).mode & 0o777).toBe(0o700);
    expect(server.log).not.toContain("read the cache folder");
    await server.stop();
    chmodSync(server.cacheDir, 0o755);
    await server.restart();
    expect(server.log.split("read the cache folder").length).toBe(2);
    expect(statSync(server.cacheDir).mode & 0o777).toBe(0o755);
  },
);

for (const workers of [1, 3, 8]) {
  test(`with ${workers} workers uploads, reads and resumes all work`, async () => {
    await using server = await TestServer.start({ flags: { workers } });
    const audio = new Random(workers).bytes(MiB);
    const round = async (id: string): Promise<void> => {
      using first = await AudioCachePeer.open(server.url);
      await first.start(id);
      await first.sendAudio(audio.subarray(0, 500_000), 8192);
      await first.close();
      using second = await AudioCachePeer.open(server.url);
      expect(await second.resume(id)).toBe(500_000);
      await second.sendAudio(audio.subarray(500_000));
      expect((await second.stop(id)).sha256).toBe(sha256(audio));
      expect(sha256(await second.download(id, audio.length))).toBe(sha256(audio));
    };
    await Promise.all(["a", "b", "c", "d", "e", "f"].map(round));
    expect(await server.stop()).toBe(0);
  });
}

test("GET /healthz says ok, and a browser's GET / gets a page that introduces the server", async () => {
  await using server = await TestServer.start();
  const health = await fetch(`${server.httpBase}/healthz`);
  expect(health.status).toBe(200);
  expect((await health.text()).trim()).toBe("ok");
  const page = await fetch(`${server.httpBase}/`, { headers: { Accept: "text/html,*/*" } });
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toStartWith("text/html");
  expect(await page.text()).toMatch(/wavecache/i);
});

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`${signal} stops an idle server with exit code 0`, async () => {
    await using server = await TestServer.start();
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("x", Buffer.from("audio"));
    expect(await server.stop(signal)).toBe(0);
    await peer.socket.ended;
  });
}

test("SIGTERM amid uploads exits 0, keeps acknowledged streams, and the others can be resumed", async () => {
  await using server = await TestServer.start();
  const audio = new Random(1).bytes(8 * MiB);
  using done = await AudioCachePeer.open(server.url);
  await done.upload("done", audio.subarray(0, MiB));
  using open = await AudioCachePeer.open(server.url);
  await open.start("open");
  await open.sendAudio(audio.subarray(0, 2 * MiB));
  await open.untilReceived("open", 2 * MiB);
  const [code] = await Promise.all([server.stop("SIGTERM"), open.sendAudio(audio.subarray(2 * MiB))]);
  expect(code).toBe(0);
  await open.socket.ended;
  await server.restart();
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download("done", MiB))).toBe(sha256(audio.subarray(0, MiB)));
  const offset = await peer.resume("open");
  expect(offset).toBeGreaterThanOrEqual(2 * MiB);
  await peer.sendAudio(audio.subarray(offset));
  expect((await peer.stop("open")).sha256).toBe(sha256(audio));
  expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
});

test("a STOP before SIGTERM is acknowledged before the exit, or its stream is resumable", async () => {
  for (let round = 0; round < 5; round++) {
    await using server = await TestServer.start();
    using peer = await AudioCachePeer.open(server.url);
    const audio = new Random(round).bytes(MiB);
    await peer.start("x");
    await peer.sendAudio(audio);
    peer.send({ type: "STOP", streamId: "x" });
    await peer.socket.flush();
    expect(await server.stop()).toBe(0);
    await peer.socket.ended;
    const acknowledged = peer.socket.received.some((frame) => frame.payload.includes('"STOPPED"'));
    await server.restart();
    using next = await AudioCachePeer.open(server.url);
    const offset = await next.resume("x");
    if (acknowledged) expect(offset).toBe(audio.length);
    await next.sendAudio(audio.subarray(offset));
    expect((await next.stop("x")).sha256).toBe(sha256(audio));
  }
});

test("SIGTERM with a client that does not read still exits within ten seconds", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", new Random(2).bytes(4 * MiB));
  peer.socket.pause();
  for (let get = 0; get < 20; get++) peer.get("x", 0, 4 * MiB);
  await peer.socket.flush();
  expect(await server.stop()).toBe(0);
});

test("after a crash the server is ready again within three seconds", async () => {
  await using server = await TestServer.start();
  await server.kill9();
  const began = performance.now();
  await server.restart();
  expect(performance.now() - began).toBeLessThan(3_000);
  await until("health", 1_000, async () => (await fetch(`${server.httpBase}/healthz`)).ok);
});
