/** `client song` against a real server over each protocol, and against an older server that loses bytes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runClient } from "../harness/client-process.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const folder = temporaryFolder();
const song = new Random(1).bytes(3_000_000);
let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "tls-port": 0, "udp-port": 0 } });
  mkdirSync(join(server.folder, "library/an album"), { recursive: true });
  await Bun.write(join(server.folder, "library/an album/song.bin"), song);
});

afterAll(async () => {
  await server.dispose();
  folder[Symbol.dispose]();
});

/** The options that select the server and a protocol. */
function by(protocol: string): string[] {
  const address = new RegExp(`${protocol}://(\\S+)`).exec(server.stdout)![1]!;
  const trust = protocol === "tls" ? ["--ca", join(server.cacheDir, "tls/cert.pem")] : [];
  return [`--${protocol}`, address, ...trust];
}

describe("client song", () => {
  test.each(["tls", "udp"])("gets a song over %s", async (protocol) => {
    const path = join(folder.path, protocol);
    const { code, err, out } = await runClient(["song", "an album/song.bin", "-o", path, ...by(protocol)]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(sha256(readFileSync(path))).toBe(sha256(song));
    expect(out).toContain("2.86 MiB");
    expect(out).toContain(protocol === "udp" ? "identical to what the server has" : "not verified");
  });

  test.each(["tls", "udp"])("reports over %s that there is no such song", async (protocol) => {
    const { code, err } = await runClient(["song", "missing", ...by(protocol)], { cwd: folder.path });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*no such song.* \(.+\)\n$/);
  });

  test("reports over UDP that a song of an older server is incomplete, and removes the partial file", async () => {
    const old = createSocket("udp4", (request, { address, port }) => {
      const isName = request.toString() === "song";
      old.send(isName ? Buffer.alloc(1024, 1) : Buffer.alloc(0), port, address);
    });
    await new Promise<void>((resolve) => old.bind(0, "127.0.0.1", resolve));
    const path = join(folder.path, "incomplete");
    const args = ["song", "song", "--udp", `127.0.0.1:${old.address().port}`, "-o", path];
    const { code, err } = await runClient(args);
    old.close();
    expect(code).toBe(1);
    expect(err).toMatch(/^error: the song is incomplete: it ends after 1024 bytes \(.+\)\n$/);
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("requires one protocol, not both", async () => {
    const { code, err } = await runClient(["song", "x", ...by("tls"), ...by("udp")]);
    expect([code, err]).toEqual([2, expect.stringContaining("exclude each other")]);
  });
});
