/** The single file, built for this system and run without the source. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { projectFolder } from "../../testing/harness/documents.ts";
import { HttpUpload } from "../../testing/harness/http/http-upload.ts";
import { runIn, verifyDevice, verifyPage, verifyRoundTrip } from "../../testing/harness/installation.ts";
import { NotifySocket } from "../../testing/harness/notify-socket.ts";
import { TestServer, useServers } from "../../testing/harness/server.ts";
import { canSandbox, UnitSandbox } from "../../testing/harness/unit-sandbox.ts";
import { until } from "../../testing/harness/until.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { buildExecutable, hostTarget } from "./executable.ts";

useServers();
const folder = temporaryFolder();
const executable = join(folder.path, "wavecache");
const client = [executable, "client"];
beforeAll(() => buildExecutable({ outfile: executable, target: hostTarget }));
afterAll(() => folder[Symbol.dispose]());

test("the single file knows nothing of the folder where it was built", async () => {
  const bytes = Buffer.from(await Bun.file(executable).arrayBuffer());
  expect(bytes.indexOf("$bunfs/root/workers/keep.js")).toBeGreaterThan(0);
  expect(bytes.indexOf(projectFolder)).toBe(-1);
  const { out } = await runIn(folder.path, [executable, "--version"]);
  expect(out).toMatch(/^wavecache \S+ \(commit ([0-9a-f]{10}|unknown), Bun \S+\)\n$/);
});

test("the single file serves the page, round trips and devices", async () => {
  await using server = await TestServer.start({ program: [executable, "server"], flags: { "grpc-port": 0 } });
  await verifyPage(server);
  await verifyRoundTrip(server, client);
  await verifyDevice(server, client);
  const properties = async () => {
    const { streams } = (await (await fetch(`${server.httpBase}/api/streams`)).json()) as {
      streams: { audio: { codec: string | null } | null }[];
    };
    return streams[0]?.audio?.codec;
  };
  await until("the codec of the sample", 20_000, async () => (await properties()) === "MPEG 1 Layer 3");
  expect(await server.stop()).toBe(0);
  expect(server.log).not.toContain("a worker died");
});

test("an upload to the single file survives kill -9 and is resumed", async () => {
  await using server = await TestServer.start({ program: [executable, "server"] });
  const bytes = new Random(20).bytes(3_000_000);
  const upload = await HttpUpload.open(server.httpBase, "/api/streams/song/audio");
  upload.send(bytes.subarray(0, 2_000_000));
  const incoming = join(server.cacheDir, "incoming");
  const written = () =>
    readdirSync(incoming).some((name) => statSync(join(incoming, name)).size >= 2_000_000);
  await until("the bytes that were sent, in the file of the upload", 20_000, written);
  await server.kill9();
  upload.cut();
  await server.restart();
  const file = join(server.folder, "song");
  await Bun.write(file, bytes);
  const resume = ["upload", file, "--resume", "song", "--server", server.url, "--json"];
  const { out, err, code } = await runIn(server.folder, [...client, ...resume]);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  const result = JSON.parse(out) as { kept: number };
  expect(result).toMatchObject({
    streamId: "song",
    sha256: sha256(bytes),
    size: bytes.length,
    verified: true,
  });
  expect(result.kept).toBeGreaterThan(0);
});

describe.skipIf(!canSandbox())("under the restrictions of the unit of systemd", () => {
  const sandbox = new UnitSandbox();

  test("a program has no rights, and the system calls of the unit alone", async () => {
    using files = temporaryFolder();
    const launcher = sandbox.launcher(files.path, executable);
    const { out } = await runIn(files.path, [...launcher, "cat", "/proc/self/status"]);
    for (const line of [/^CapEff:\t0+$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^Uid:\t61184\t/m])
      expect(out).toMatch(line);
    const { err } = await runIn(files.path, [...launcher, "nice", "-n", "1", "true"]);
    expect(err).toContain("Operation not permitted");
  });

  test("the single file serves the page and round trips, and notifies that it is ready", async () => {
    let notified: NotifySocket | undefined;
    await using server = await TestServer.start({
      program: sandbox.command,
      launcher: (files) => {
        const launcher = sandbox.launcher(files, executable);
        notified = new NotifySocket(join(files, "run/notify"));
        return launcher;
      },
      env: { ...sandbox.environment, NOTIFY_SOCKET: "/run/notify" },
      flags: { "cache-dir": "cache", "recordings-dir": "received", "library-dir": "library", "grpc-port": 0 },
    });
    using socket = notified;
    // The notification and the file of ports come in no order.
    await until("the notification", 10_000, () => (socket?.received.length ?? 0) > 0);
    expect(socket?.received[0]).toStartWith(`READY=1\nSTATUS=ready ${server.url}`);
    await verifyPage(server);
    await verifyRoundTrip(server, client);
    expect(existsSync(join(server.folder, "state/cache/catalog.db"))).toBe(true);
  });
});
