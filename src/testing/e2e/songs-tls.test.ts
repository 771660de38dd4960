/** Songs by name over TLS, from the library of the real server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { fetchSong, SongPeer } from "../harness/peers/song-peer.ts";
import { until, within } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const MiB = 1024 * 1024;
const waitMs = 20_000;

const folder = temporaryFolder();
let server: TestServer;
let port: number;

function portOf(server: TestServer): number {
  return Number(/tls:\/\/\S+:(\d+)/.exec(server.stdout)![1]);
}

/** Adds a song to the library atomically, by a rename. */
async function addSong(name: string, bytes: Uint8Array): Promise<void> {
  const path = join(server.folder, "library", name);
  mkdirSync(dirname(path), { recursive: true });
  await Bun.write(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
}

async function writeNewCertificate(): Promise<{ "tls-cert": string; "tls-key": string }> {
  const { cert, key } = await writeCertificate(folder.path, await makeCertificate());
  return { "tls-cert": cert, "tls-key": key };
}

beforeAll(async () => {
  server = await TestServer.start({ flags: { "tls-port": 0, ...(await writeNewCertificate()) } });
  port = portOf(server);
});

afterAll(async () => {
  await server.dispose();
  folder[Symbol.dispose]();
});

describe("songs by name over TLS", () => {
  test.each([0, 1, 1023, 1024, 1025, MiB, 20 * MiB])("a song of %d bytes arrives whole", async (size) => {
    const audio = new Random(size).bytes(size);
    await addSong(`sizes/of ${size}.mp3`, audio);
    const { bytes, failure } = await fetchSong(port, `sizes/of ${size}.mp3`);
    expect(failure).toBeUndefined();
    expect(bytes.length).toBe(size);
    expect(sha256(bytes)).toBe(sha256(audio));
  });

  test("a finished stream of the cache is served by its id", async () => {
    const audio = new Random(1).bytes(300_000);
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("a-stream", audio);
    expect(sha256((await fetchSong(port, "a-stream")).bytes)).toBe(sha256(audio));
  });

  test("for a missing song or a path out of the library the server closes without sending data", async () => {
    await Bun.write(join(server.folder, "secret.txt"), "secret");
    await addSong("here.mp3", Buffer.from("audio"));
    symlinkSync("../secret.txt", join(server.folder, "library", "link.mp3"));
    const names = ["missing.mp3", "../secret.txt", "x/../../secret.txt", "..\\secret.txt", "link.mp3", "."];
    names.push(
      join(server.folder, "secret.txt"),
      "here.mp3/",
      "here\0.mp3",
      "\u0001",
      "CON",
      "a".repeat(5000),
    );
    for (const name of names) {
      expect(await fetchSong(port, name), name).toEqual({ bytes: Buffer.alloc(0), failure: undefined });
    }
    expect((await fetchSong(port, "here.mp3")).bytes.toString()).toBe("audio");
  });

  test("16 concurrent clients each get the song they requested", async () => {
    const songs = Array.from({ length: 16 }, (_, index) => new Random(index).bytes(2 * MiB + index));
    await Promise.all(songs.map((audio, index) => addSong(`at once/${index}`, audio)));
    const heard = await Promise.all(songs.map((_, index) => fetchSong(port, `at once/${index}`)));
    expect(heard.map(({ bytes }) => sha256(bytes))).toEqual(songs.map(sha256));
  });

  test("a certificate reload does not affect songs in progress", async () => {
    await addSong("long.mp3", new Random(7).bytes(24 * MiB));
    using before = await SongPeer.open(port);
    before.ask("long.mp3");
    await until("the song is under way", waitMs, () => before.receivedBytes > 0);
    before.socket.pause();
    await writeNewCertificate();
    await until("the new certificate", waitMs, async () => {
      using after = await SongPeer.open(port);
      return after.fingerprint !== before.fingerprint;
    });
    before.socket.resume();
    const { bytes, failure } = await within("the song", waitMs, before.heard);
    expect(failure).toBeUndefined();
    expect(sha256(bytes)).toBe(sha256(new Random(7).bytes(24 * MiB)));
  });

  test("clients that do not read cost little, and delay neither other clients nor the shutdown", async () => {
    await addSong("long.mp3", new Random(7).bytes(24 * MiB));
    await addSong("short.mp3", Buffer.from("audio"));
    const before = (await server.memory()).ownBytes;
    const slow = await Promise.all(Array.from({ length: 16 }, () => SongPeer.open(port)));
    for (const peer of slow) {
      peer.socket.pause();
      peer.ask("long.mp3");
    }
    for (let round = 0; round < 20; round++) {
      expect((await fetchSong(port, "short.mp3")).bytes.toString()).toBe("audio");
    }
    expect((await server.memory()).ownBytes - before).toBeLessThan(64 * MiB);
    expect(await server.stop()).toBe(0);
    for (const peer of slow) peer.socket.destroy();
  });
});
