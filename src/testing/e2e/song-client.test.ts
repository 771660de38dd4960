/** `client song` against a real server over each protocol, and against an older server that loses bytes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runClient } from "../harness/client-process.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { OldSongServer } from "../harness/servers/old-song-server.ts";
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
    using old = await OldSongServer.start(new Map([["song", new Uint8Array(2000)]]), { ends: false });
    const path = join(folder.path, "incomplete");
    const args = ["song", "song", "--udp", `127.0.0.1:${old.port}`, "-o", path];
    const { code, err } = await runClient(args);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: the song is incomplete: it ends after 1024 bytes \(.+\)\n$/);
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("leaves an older server alive that exits on requests that are not names", async () => {
    using old = await OldSongServer.start(new Map([["album/song", song.subarray(0, 100_000)]]));
    const get = async (...flags: string[]) => {
      const path = join(folder.path, `old${flags.join("")}`);
      const args = ["song", "album/song", "--udp", `127.0.0.1:${old.port}`, "-o", path, ...flags];
      return { ...(await runClient(args)), path };
    };
    for (const { code, out, path } of [await get(), await get("--plain")]) {
      expect(code).toBe(0);
      expect(out).toContain("not verified");
      expect(sha256(readFileSync(path))).toBe(sha256(song.subarray(0, 100_000)));
    }
    const refused = await get("--reliable");
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining("the server does not speak reliable UDP"),
    ]);
    expect(old.requests).toHaveLength(4);
    expect(old.fatal).toBeUndefined();
  });

  test("uses over UDP the protocol that its flags choose", async () => {
    const path = join(folder.path, "chosen");
    const get = (flag: string) =>
      runClient(["song", "an album/song.bin", "-o", path, "--force", ...by("udp"), flag]);
    const [reliable, plain] = [await get("--reliable"), await get("--plain")];
    expect(reliable.out).toContain("identical to what the server has");
    expect(plain.out).not.toContain("identical to what the server has");
    expect([reliable.code, plain.code]).toEqual([0, 0]);
    const wrong: [string[], string][] = [
      [["--reliable", "--plain", ...by("udp")], "exclude each other"],
      [["--reliable", ...by("tls")], "are for --udp"],
      [["--plain", ...by("tls")], "are for --udp"],
    ];
    for (const [flags, reason] of wrong) {
      const { code, err } = await runClient(["song", "x", ...flags]);
      expect([code, err]).toEqual([2, expect.stringContaining(reason)]);
    }
  });

  test("requires one protocol, not both", async () => {
    const { code, err } = await runClient(["song", "x", ...by("tls"), ...by("udp")]);
    expect([code, err]).toEqual([2, expect.stringContaining("exclude each other")]);
  });
});
