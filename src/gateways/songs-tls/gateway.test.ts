import { afterEach, describe, expect, test } from "bun:test";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { openAccess } from "../../access/access.ts";
import { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { evictionGraceMs } from "../../base/limits/connections.ts";
import { songReadBytes } from "../../base/limits/songs.ts";
import { MiB } from "../../base/limits/units.ts";
import { openLog } from "../../base/log/log.ts";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { connectionLimit } from "../../testing/fixtures/connection-limit.ts";
import { makeCertificate, type TestCertificate } from "../../testing/harness/certificates.ts";
import { fetchSong, SongPeer } from "../../testing/harness/peers/song-peer.ts";
import { until, within } from "../../testing/harness/until.ts";
import { type CertificateSource, SongsTlsGateway, type SongsTlsSettings } from "./gateway.ts";
import type { OpenSong, SongSource } from "./session.ts";

const waitMs = 10_000;

/** Songs in memory that record each access. */
class Songs implements SongSource {
  readonly audio = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  openSongs = 0;
  readBytes = 0;
  /** The file was truncated here after it was opened. */
  cutAt = Infinity;

  async open(name: string): Promise<OpenSong> {
    this.asked.push(name);
    const audio = this.audio.get(name);
    if (audio === undefined) throw new WavecacheError("SONG_UNKNOWN", name);
    this.openSongs += 1;
    return {
      size: audio.length,
      read: async (offset, length, into) => {
        if (offset + length > Math.min(audio.length, this.cutAt)) throw new WavecacheError("SONG_CHANGED");
        this.readBytes += length;
        into.set(audio.subarray(offset, offset + length));
        return into.subarray(0, length);
      },
      close: () => void (this.openSongs -= 1),
    };
  }
}

class FakeCertificates implements CertificateSource {
  current: TestCertificate;
  #listener: ((certificate: TestCertificate) => void) | undefined;

  constructor(first: TestCertificate) {
    this.current = first;
  }

  onChange(listener: (certificate: TestCertificate) => void): () => void {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  }

  replace(next: TestCertificate): void {
    this.current = next;
    this.#listener?.(next);
  }
}

const [first, second] = [await makeCertificate(), await makeCertificate()];
const opened: SongsTlsGateway[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((gateway) => gateway.close()));
});

/** A peer in the middle of the song `long`. */
async function busyPeer(port: number): Promise<SongPeer> {
  const peer = await SongPeer.open(port);
  peer.ask("long");
  await until("the song is under way", waitMs, () => peer.receivedBytes > 0);
  peer.socket.pause();
  return peer;
}

async function openGateway(limits: SongsTlsSettings["limits"] = {}, limit = connectionLimit()) {
  const songs = new Songs();
  const certificates = new FakeCertificates(first);
  const meter = new GatewayMeter("songs-tls");
  const log = openLog("test");
  const settings = {
    host: "127.0.0.1",
    port: 0,
    songs,
    access: openAccess,
    certificates,
    limit,
    meter,
    limits,
    log,
  };
  const gateway = await SongsTlsGateway.open(settings);
  opened.push(gateway);
  return { gateway, port: gateway.port, songs, certificates, meter };
}

describe("the TLS gateway", () => {
  test("sends whole songs of every size, and closes each connection properly", async () => {
    const { port, songs, meter } = await openGateway();
    const sizes = [0, 1, 1023, 1024, 1025, songReadBytes, songReadBytes + 1, MiB, 20 * MiB];
    for (const size of sizes) {
      songs.audio.set(`${size}`, new Random(size).bytes(size));
      const { bytes, failure } = await fetchSong(port, `${size}`);
      expect(bytes.length).toBe(size);
      expect(sha256(bytes)).toBe(sha256(songs.audio.get(`${size}`)!));
      expect(failure).toBeUndefined();
    }
    await until("all connections are over", waitMs, () => meter.connections === 0);
    expect(meter.connected).toBe(sizes.length);
    expect(meter.bytesOut).toBe(sizes.reduce((sum, size) => sum + size, 0));
    expect(songs.openSongs).toBe(0);
  });

  test("accepts every line ending after a name, and treats an invalid name like a missing song", async () => {
    const { port, songs, meter } = await openGateway();
    const name = "Grüße/夜 曲.mp3";
    songs.audio.set(name, Buffer.from("audio"));
    for (const end of ["", "\n", "\r\n", "\0".repeat(100)]) {
      expect((await fetchSong(port, name + end)).bytes.toString()).toBe("audio");
    }
    const hostile = ["missing", "../../etc/passwd", "\n", "\xff\xfe", "a".repeat(1025)];
    for (const request of hostile) {
      const heard = await fetchSong(port, Buffer.from(request, "latin1"));
      expect(heard, request).toEqual({ bytes: Buffer.alloc(0), failure: undefined });
    }
    expect(meter.errors).toEqual(
      new Map([
        ["SONG_UNKNOWN", 2],
        ["BAD_REQUEST", 3],
      ]),
    );
  });

  test("sends the song to a client that shuts down its sending side after the name", async () => {
    const { port, songs } = await openGateway();
    songs.audio.set("song", new Random(1).bytes(24 * MiB));
    // No TLS client here can half-close, so a proxy in between does.
    const upstream = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
    const between = createTcpServer((socket) => {
      socket.pipe(upstream, { end: false });
      upstream.pipe(socket);
    });
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
    using peer = await SongPeer.open((between.address() as AddressInfo).port);
    peer.socket.pause();
    peer.ask("song");
    await until("the song is under way", waitMs, () => songs.readBytes > 0);
    upstream.end();
    peer.socket.resume();
    const { bytes } = await within("the song", waitMs, peer.heard);
    between.close();
    expect(bytes.length).toBe(24 * MiB);
  });

  test("keeps sending when more bytes follow the name", async () => {
    const { port, songs } = await openGateway();
    songs.audio.set("song", new Random(1).bytes(8 * MiB));
    using peer = await SongPeer.open(port);
    peer.ask("song");
    await until("the song begins", waitMs, () => peer.receivedBytes > 0);
    peer.ask("\r\n");
    expect(await within("the song", waitMs, peer.heard)).toMatchObject({ failure: undefined });
    expect(peer.receivedBytes).toBe(8 * MiB);
  });

  test("resets a client that sends far more than a name", async () => {
    const { port, songs } = await openGateway();
    songs.audio.set("song", new Random(1).bytes(64 * MiB));
    using peer = await SongPeer.open(port);
    peer.socket.pause();
    peer.ask("song");
    await until("the song is read", waitMs, () => songs.readBytes > 0);
    peer.ask(new Uint8Array(MiB));
    await until("the connection is over", waitMs, () => songs.openSongs === 0);
  });

  test("does not close properly after a song whose file was truncated meanwhile", async () => {
    const { port, songs, meter } = await openGateway();
    songs.audio.set("song", new Random(1).bytes(8 * MiB));
    songs.cutAt = 4 * MiB;
    const { bytes, failure } = await fetchSong(port, "song");
    expect(bytes.length).toBeLessThanOrEqual(4 * MiB);
    expect(failure).toBe("ECONNRESET");
    expect(meter.errors.get("SONG_CHANGED")).toBe(1);
    expect(songs.openSongs).toBe(0);
  });

  test("accepts TLS 1.2, and no older version", async () => {
    const { port, songs, certificates } = await openGateway();
    songs.audio.set("song", Buffer.from("audio"));
    for (const certificate of [first, second]) {
      certificates.replace(certificate);
      using peer = await SongPeer.open(port, { maxVersion: "TLSv1.2" });
      expect(peer.socket.getProtocol()).toBe("TLSv1.2");
      peer.ask("song");
      expect((await peer.heard).bytes.toString()).toBe("audio");
      await expect(SongPeer.open(port, { maxVersion: "TLSv1.1" })).rejects.toThrow(/PROTOCOL_VERSION/);
    }
  });

  test("shows a new certificate to new connections, and keeps the open ones", async () => {
    const { port, songs, certificates } = await openGateway();
    songs.audio.set("song", new Random(1).bytes(24 * MiB));
    using before = await SongPeer.open(port);
    before.socket.pause();
    before.ask("song");
    await until("the song is under way", waitMs, () => songs.readBytes > 0);
    certificates.replace(second);
    using after = await SongPeer.open(port);
    expect(after.fingerprint).not.toBe(before.fingerprint);
    after.ask("song");
    expect((await within("the second song", waitMs, after.heard)).bytes.length).toBe(24 * MiB);
    before.socket.resume();
    const { bytes, failure } = await within("the first song", waitMs, before.heard);
    expect(failure).toBeUndefined();
    expect(sha256(bytes)).toBe(sha256(songs.audio.get("song")!));
  });
});

describe("a peer of the TLS gateway", () => {
  test("that sends no name, no TLS, or garbage is closed", async () => {
    const { port, meter } = await openGateway({ nameTimeoutMs: 1000 });
    using nameless = await SongPeer.open(port);
    const silent = connectTcp(port, "127.0.0.1");
    const half = connectTcp(port, "127.0.0.1", () =>
      half.write(Buffer.from("1603010200010001fc0303", "hex")),
    );
    const nonsense = connectTcp(port, "127.0.0.1", () => nonsense.write("GET / HTTP/1.1\r\n\r\n"));
    const ends = [silent, half, nonsense].map(
      (socket) => new Promise<void>((resolve) => socket.on("error", () => {}).once("close", () => resolve())),
    );
    await within("the end of all four", waitMs, Promise.all([nameless.heard, ...ends]));
    await until("all are forgotten", waitMs, () => meter.connections === 0);
    expect(meter.connected).toBe(4);
    expect(meter.errors.get("PEER_STALLED")).toBe(3);
  });

  test("that reads nothing costs bounded memory, delays no other peer, and is closed at the stall timeout", async () => {
    const { port, songs, meter } = await openGateway({ stallTimeoutMs: 1500 });
    songs.audio.set("long", new Random(1).bytes(64 * MiB));
    songs.audio.set("short", Buffer.from("audio"));
    const slow = await Promise.all(Array.from({ length: 4 }, () => SongPeer.open(port)));
    for (const peer of slow) {
      peer.socket.pause();
      peer.ask("long");
    }
    let read = -1;
    await until("nothing more is read", waitMs, async () => {
      const isQuiet = songs.readBytes > 0 && songs.readBytes === read;
      read = songs.readBytes;
      await Bun.sleep(100);
      return isQuiet;
    });
    // The kernel buffers of both ends hold a few megabytes per connection.
    expect(read).toBeLessThan(4 * 24 * MiB);
    expect((await fetchSong(port, "short")).bytes.toString()).toBe("audio");
    await until("the slow ones are closed", waitMs, () => meter.connections === 0);
    expect(meter.errors.get("PEER_STALLED")).toBe(4);
    expect(songs.openSongs).toBe(0);
    for (const peer of slow) peer.socket.destroy();
  });

  test("that reads slowly gets the whole song", async () => {
    const { port, songs } = await openGateway({ stallTimeoutMs: 1000 });
    songs.audio.set("long", new Random(1).bytes(32 * MiB));
    using peer = await SongPeer.open(port);
    const resume = setInterval(() => peer.socket.resume(), 30);
    peer.socket.on("data", () => {
      if (Math.floor(peer.receivedBytes / (2 * MiB)) % 2 === 0) peer.socket.pause();
    });
    peer.ask("long");
    const { bytes, failure } = await within("the song", 20_000, peer.heard);
    clearInterval(resume);
    expect(failure).toBeUndefined();
    expect(sha256(bytes)).toBe(sha256(songs.audio.get("long")!));
  });

  test("that disconnects during a song is forgotten at once", async () => {
    const { port, songs, meter } = await openGateway();
    songs.audio.set("long", new Random(1).bytes(64 * MiB));
    using peer = await SongPeer.open(port);
    peer.ask("long");
    await until("the song is under way", waitMs, () => peer.receivedBytes > 0);
    peer.socket.destroy();
    await until("it is forgotten", waitMs, () => meter.connections === 0 && songs.openSongs === 0);
    expect(songs.readBytes).toBeLessThan(64 * MiB);
  });

  test("is refused above the limit while all others are busy, until one of them disconnects", async () => {
    const { port, songs, meter } = await openGateway({ connectionsPerAddress: 2 });
    songs.audio.set("song", Buffer.from("audio"));
    songs.audio.set("long", new Random(1).bytes(64 * MiB));
    using one = await busyPeer(port);
    using _two = await busyPeer(port);
    await expect(SongPeer.open(port)).rejects.toThrow();
    await until("it is counted", waitMs, () => meter.errors.get("ADDRESS_EXHAUSTED") === 1);
    one.socket.destroy();
    await until("one has gone", waitMs, () => meter.connections === 1);
    expect((await fetchSong(port, "song")).bytes.toString()).toBe("audio");
  });

  test("takes the place of the oldest silent one at a limit, be it of the address, the port or the server", async () => {
    for (const [limits, limit] of [
      [{ connectionsPerAddress: 3 }, connectionLimit()],
      [{ connections: 3 }, connectionLimit()],
      [{}, connectionLimit({ max: 3 })],
    ] as const) {
      const { port, songs, meter } = await openGateway(limits, limit);
      songs.audio.set("song", Buffer.from("audio"));
      songs.audio.set("long", new Random(1).bytes(64 * MiB));
      using busy = await busyPeer(port);
      using oldest = await SongPeer.open(port);
      using younger = await SongPeer.open(port);
      await Bun.sleep(evictionGraceMs);
      expect((await fetchSong(port, "song")).bytes.toString()).toBe("audio");
      await within("the end of the oldest silent one", waitMs, oldest.heard);
      expect([busy, younger].map(({ socket }) => socket.destroyed)).toEqual([false, false]);
      expect(meter.connections).toBeGreaterThanOrEqual(2);
    }
  });

  test("is reset when the server closes, whatever its state", async () => {
    const { gateway, port, songs } = await openGateway();
    songs.audio.set("long", new Random(1).bytes(64 * MiB));
    using idle = await SongPeer.open(port);
    using busy = await SongPeer.open(port);
    busy.ask("long");
    await until("the song is under way", waitMs, () => busy.receivedBytes > 0);
    await within("the gateway to close", waitMs, gateway.close());
    expect((await busy.heard).failure).toBe("ECONNRESET");
    await idle.heard;
    await until("the song is closed", waitMs, () => songs.openSongs === 0);
  });
});
