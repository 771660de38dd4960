/** Songs by name over UDP from the real server, by the plain protocol and by the reliable one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { reliableIdleMs, unvalidatedFactor, unvalidatedStartBytes } from "../../base/limits/songs.ts";
import { openSongUdp } from "../../client/songs/udp.ts";
import { decodeReliable, encodeReliable, minRequestBytes } from "../../wire/reliable-udp.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { LossyUdp } from "../harness/lossy-udp.ts";
import { RawUdp } from "../harness/peers/raw-udp.ts";
import { useServers } from "../harness/server.ts";
import { type Received, SongServer } from "../harness/servers/song-server.ts";
import { until, within } from "../harness/until.ts";

useServers();

const MB = 1_000_000;
const random = new Random(5);
const fast = { "udp-rate-mbps": 60, "log-level": "debug" };
const slow = { "udp-rate-mbps": 2, "log-level": "debug" };
const forms = ["only", "never"] as const;

let songs: SongServer;
const contents = new Map<string, Uint8Array>();
const secret = "content outside the library";

beforeAll(async () => {
  songs = await SongServer.start(fast);
  for (const size of [0, 1, 1023, 1024, 1025, 1176, 1177, MB, 20 * MB]) {
    const bytes = random.bytes(size);
    contents.set(`${size}.mp3`, bytes);
    songs.put(`${size}.mp3`, bytes);
  }
  fs.writeFileSync(join(songs.server.folder, "secret"), secret);
});
afterAll(() => songs.server.dispose());

/**
 * A song of `contents` as it should arrive. By the plain protocol a busy machine may lose datagrams: then this requests
 * the song again, a few times.
 */
async function getWhole(name: string, reliable: (typeof forms)[number]): Promise<Received> {
  const size = contents.get(name)!.length;
  for (let times = 1; ; times += 1) {
    const got = await songs.get(name, { reliable });
    if (reliable === "only" || got.bytes.length === size || times === 5) return got;
  }
}

function expectWhole({ bytes, result, download }: Received, name: string, form: string): void {
  const content = contents.get(name)!;
  expect(bytes.length).toBe(content.length);
  expect(sha256(bytes)).toBe(sha256(content));
  if (form === "only") {
    expect(result).toEqual({ bytes: content.length, complete: true, verified: true });
    expect(download.size).toBe(content.length);
  } else expect(result).toEqual({ bytes: content.length, complete: undefined, verified: false });
}

describe.each(forms)("a song, reliable: %s", (reliable) => {
  test("arrives whole, whatever its size", async () => {
    for (const name of contents.keys()) expectWhole(await getWhole(name, reliable), name, reliable);
  });

  test("arrives whole at 16 concurrent clients", async () => {
    const all = await Promise.all(Array.from({ length: 16 }, () => getWhole(`${MB}.mp3`, reliable)));
    expect(all).toHaveLength(16);
    for (const each of all) expectWhole(each, `${MB}.mp3`, reliable);
  });

  test("may be a new file, a file in a folder, or a finished stream of the cache", async () => {
    const name = "new/Käse und Brot.ogg";
    songs.put(name.normalize("NFD"), Buffer.from("new"));
    expect((await songs.get(name, { reliable })).bytes).toEqual(new Uint8Array(Buffer.from("new")));
    const id = `stream-${reliable}`;
    using peer = await AudioCachePeer.open(songs.server.url);
    await peer.upload(id, Buffer.from("of the cache"));
    const { bytes } = await songs.get(id, { reliable });
    expect(Buffer.from(bytes).toString()).toBe("of the cache");
  });

  test("that does not exist, or is not below the library, is not sent", async () => {
    fs.symlinkSync("../secret", join(songs.libraryFolder, `link-${reliable}`));
    const hostile = ["nope", "../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", "NUL"];
    for (const name of [...hostile, `link-${reliable}`, "x".repeat(1024)]) {
      const answer = songs.get(name, { reliable });
      if (reliable === "only") expect(answer).rejects.toThrow("no such song");
      else expect((await answer).result).toEqual({ bytes: 0, complete: undefined, verified: false });
    }
  });

  test("that is truncated while it is sent does not pass for whole, and the server keeps working", async () => {
    await using own = await SongServer.start(slow);
    const path = own.put("cut.wav", random.bytes(4 * MB));
    const download = await openSongUdp({ host: "127.0.0.1", port: own.udpPort, name: "cut.wav", reliable });
    const iterator = download.chunks[Symbol.asyncIterator]();
    await iterator.next();
    fs.truncateSync(path, 100_000);
    const rest = async (): Promise<void> => {
      while ((await iterator.next()).done !== true);
    };
    if (reliable === "only") expect(within("the end", 20_000, rest())).rejects.toThrow("SONG_CHANGED");
    else {
      await within("the end", 20_000, rest());
      expect((await download.result).complete).toBe(false);
    }
    await until("a line in the log", 5_000, () => own.server.log.includes("changed while it was read"));
    own.put("after.wav", Buffer.from("after"));
    expect((await own.get("after.wav", { reliable })).bytes).toHaveLength(5);
  });

  test("is cut by a shutdown, which does not wait for it", async () => {
    await using own = await SongServer.start(slow);
    own.put("long.wav", random.bytes(20 * MB));
    const download = await openSongUdp({ host: "127.0.0.1", port: own.udpPort, name: "long.wav", reliable });
    const iterator = download.chunks[Symbol.asyncIterator]();
    await iterator.next();
    const started = performance.now();
    expect(await own.server.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(5_000);
    const rest = async (): Promise<void> => {
      while ((await iterator.next()).done !== true);
    };
    if (reliable === "only") expect(within("the end", 15_000, rest())).rejects.toThrow();
    else {
      await within(
        "the end",
        15_000,
        rest().catch(() => undefined),
      );
      expect((await download.result.catch(() => undefined))?.complete ?? false).toBe(false);
    }
  });
});

describe("the old protocol", () => {
  test("sends datagrams of 1024 bytes and a shorter last one, once for repeated requests", async () => {
    for (const size of [0, 1, 1023, 1024, 1025]) {
      using client = await RawUdp.open(songs.udpPort);
      for (let times = 0; times < 3; times += 1) client.send(`${size}.mp3`);
      const full = Math.floor(size / 1024);
      await until("the last datagram", 5_000, () => client.received.length > full);
      const lengths = client.received.slice(0, full + 1).map(({ length }) => length);
      expect(lengths).toEqual([...Array.from({ length: full }, () => 1024), size % 1024]);
    }
    await using own = await SongServer.start(slow);
    const bytes = random.bytes(200_000);
    own.put("requested often", bytes);
    using client = await RawUdp.open(own.udpPort);
    for (let times = 0; times < 20; times += 1) client.send("requested often");
    await until("the last datagram", 10_000, () => (client.received.at(-1)?.length ?? 1024) < 1024);
    expect(sha256(Buffer.concat(client.received))).toBe(sha256(bytes));
  });

  test("drops a client that has gone, without delaying the others", async () => {
    const before = songs.server.log.length;
    const gone = await Promise.all(Array.from({ length: 5 }, () => RawUdp.open(songs.udpPort)));
    for (const client of gone) client.send(`${20 * MB}.mp3`);
    for (const client of gone) await until("something", 5_000, () => client.received.length > 0);
    for (const client of gone) client.close();
    const others = await Promise.all(Array.from({ length: 4 }, () => getWhole(`${MB}.mp3`, "never")));
    for (const each of others) expectWhole(each, `${MB}.mp3`, "never");
    const forgotten = () => songs.server.log.slice(before).match(/cut="client gone"/g)?.length === 5;
    await until("5 forgotten clients", 2_000, forgotten, () => songs.server.log.slice(before));
  });

  test("sends a song to its end before the one that the same client requests next", async () => {
    await using own = await SongServer.start(slow);
    const bytes = random.bytes(200_000);
    own.put("first", bytes);
    own.put("second", Buffer.from("second"));
    using client = await RawUdp.open(own.udpPort);
    client.send("first");
    await until("something", 5_000, () => client.received.length > 0);
    client.send("second");
    await until("the second song", 10_000, () => client.received.at(-1)?.length === 6);
    expect(sha256(Buffer.concat(client.received.slice(0, -1)))).toBe(sha256(bytes));
  });
});

describe.concurrent("the reliable protocol", () => {
  test.each([0, 1, 5, 20])(
    "delivers a song whole over a network that loses %i of 100 datagrams",
    async (loss) => {
      const network = { loss, repeat: loss, reorder: loss * 2, seed: 100 + loss };
      await using proxy = await LossyUdp.open(songs.udpPort, network);
      const name = `${MB}.mp3`;
      const got = await within("the song", 45_000, songs.get(name, { port: proxy.port, reliable: "only" }));
      expectWhole(got, name, "only");
      expect(proxy.lost >= proxy.datagrams * (loss / 200)).toBe(true);
    },
  );

  test.each([
    ["port", ["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"]],
    ["address", ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.1", "127.0.0.4"]],
  ])(
    "delivers a song whole although the %s of its client changes again and again",
    async (_what, addresses) => {
      const network = { loss: 2, repeat: 2, reorder: 4, seed: 7 };
      await using proxy = await LossyUdp.open(songs.udpPort, network);
      const name = "moving.mp3";
      contents.set(name, random.bytes(5 * MB));
      songs.put(name, contents.get(name)!);
      const options = { host: "127.0.0.1", port: proxy.port, name, reliable: "only" } as const;
      const download = await openSongUdp(options);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      let rebinds = 0;
      for await (const chunk of download.chunks) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > (rebinds + 1) * 0.8 * MB && rebinds < addresses.length)
          await proxy.rebind(addresses[rebinds++]!);
      }
      expect(rebinds).toBe(addresses.length);
      expectWhole({ bytes: Buffer.concat(chunks), result: await download.result, download }, name, "only");
    },
  );

  test("waits for a slow reader", async () => {
    const name = `${20 * MB}.mp3`;
    const download = await openSongUdp({ host: "127.0.0.1", port: songs.udpPort, name, reliable: "only" });
    const iterator = download.chunks[Symbol.asyncIterator]();
    let bytes = (await iterator.next()).value!.length;
    // Longer than the server waits for a client that sends nothing.
    await Bun.sleep(reliableIdleMs + 300);
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      bytes += next.value.length;
    expect(bytes).toBe(20 * MB);
    expect(await download.result).toMatchObject({ complete: true, verified: true });
  });

  test("ends immediately when its reader leaves or its signal aborts", async () => {
    await using own = await SongServer.start(slow);
    own.put("long.wav", random.bytes(20 * MB));
    const options = { host: "127.0.0.1", port: own.udpPort, name: "long.wav" };
    for await (const chunk of (await openSongUdp(options)).chunks) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    const stop = new AbortController();
    const download = await openSongUdp({ ...options, signal: stop.signal });
    stop.abort(new Error("enough"));
    expect(download.chunks[Symbol.asyncIterator]().next()).rejects.toThrow("enough");
    expect(download.result).rejects.toThrow("enough");
    const ends = () => own.server.log.match(/cut="(?:not wanted|client gone)"/g)?.length === 2;
    await until("2 ends", 2_000, ends, () => own.server.log);
  });
});

describe("an address", () => {
  test("that is not allowed gets a beginning by the plain protocol, logged once, and all by the reliable one", async () => {
    await using own = await SongServer.start({ "udp-allow": "10.0.0.0/8" });
    own.put("a", random.bytes(100_000));
    using client = await RawUdp.open(own.udpPort);
    for (let times = 0; times < 10; times += 1) client.send("a");
    await until("a line in the log", 5_000, () => own.server.log.includes("not answered"));
    const { result } = await own.get("a", { reliable: "only" });
    expect(result).toEqual({ bytes: 100_000, complete: true, verified: true });
    expect(client.receivedBytes).toBeLessThanOrEqual(unvalidatedStartBytes + unvalidatedFactor * 10);
    expect(own.server.log.match(/a request is not answered in full.*udp-allow/g)).toHaveLength(1);
  });

  test("that is not validated is never sent more bytes than it sent", async () => {
    using client = await RawUdp.open(songs.udpPort);
    let sent = 0;
    const send = (datagram: Uint8Array): void => {
      sent += datagram.length;
      client.send(datagram);
      expect(client.receivedBytes).toBeLessThanOrEqual(sent);
    };
    for (let times = 0; times < 50; times += 1) {
      send(requestOf(`${20 * MB}.mp3`, random.bytes(20)));
      send(
        encodeReliable({
          type: "ack",
          transfer: 1n,
          next: 0,
          limit: 9,
          seen: 0,
          stamp: 0,
          heldMs: 0,
          missing: [],
        }),
      );
      send(encodeReliable({ type: "close", transfer: 1n, complete: false }));
      const any = requestOf("x".repeat(random.int(1, 900)), random.bytes(20));
      for (let edits = 0; edits < 4; edits += 1) any[random.int(4, any.length - 1)] = random.int(0, 255);
      send(any.subarray(0, random.int(4, any.length)));
    }
    await until("the answers", 5_000, () => client.received.length >= 100);
    // One answer that is certain to follow all others.
    client.send("1.mp3");
    await until("the last answer", 5_000, () => client.received.at(-1)?.length === 1);
    expect(client.receivedBytes - 1).toBeLessThanOrEqual(sent);
    for (const datagram of client.received.slice(0, -1)) {
      expect(datagram.length).toBeLessThan(minRequestBytes);
      expect(["token", "error"]).toContain(decodeReliable(datagram)!.type);
    }
  });

  test("has its own token: another port cannot use it", async () => {
    using first = await RawUdp.open(songs.udpPort);
    using second = await RawUdp.open(songs.udpPort);
    first.send(requestOf("1.mp3"));
    await until("a token", 5_000, () => first.received.length > 0);
    const token = decodeReliable(first.received[0]!);
    if (token?.type !== "token") throw new Error("no token");
    second.send(requestOf("1.mp3", token.token));
    await until("another token", 5_000, () => second.received.length > 0);
    expect(decodeReliable(second.received[0]!)?.type).toBe("token");
    first.send(requestOf("1.mp3", token.token));
    await until("the song", 5_000, () =>
      first.received.some((each) => decodeReliable(each)?.type === "song"),
    );
  });

  test("has a limit on its transfers; those in progress continue", async () => {
    await using own = await SongServer.start(slow);
    own.put("long.wav", random.bytes(20 * MB));
    const clients = await Promise.all(Array.from({ length: 70 }, () => RawUdp.open(own.udpPort)));
    for (const client of clients) client.send("long.wav");
    const served = () => clients.filter((client) => client.received.length > 0).length;
    await until(
      "64 of them served",
      5_000,
      () => served() === 64,
      () => String(served()),
    );
    expect(openSongUdp({ host: "127.0.0.1", port: own.udpPort, name: "long.wav" })).rejects.toThrow(
      "cannot do this now",
    );
    expect(served()).toBe(64);
    for (const client of clients) client.close();
    await until("room again", 10_000, async () => {
      const answer = await own.get("nope", { reliable: "only" }).catch((error: Error) => error.message);
      return typeof answer === "string" && answer.includes("no such song");
    });
  });
});

test("names with control characters are unknown songs", async () => {
  using client = await RawUdp.open(songs.udpPort);
  const names = ["x\0y", "1.mp3\0x", "a\nb", "\x7f"];
  for (const name of names) {
    const before = client.received.length;
    client.send(name);
    await until("an answer", 5_000, () => client.received.length > before);
  }
  expect(client.received.map(({ length }) => length)).toEqual(names.map(() => 0));
  expect(songs.get("x\0y", { reliable: "only" })).rejects.toThrow("no such song");
});

test("an empty datagram is never answered; a name that is not UTF-8 is answered as an unknown song", async () => {
  using client = await RawUdp.open(songs.udpPort);
  client.send(new Uint8Array(0));
  client.send(Uint8Array.of(0xff, 0xfe));
  await until("an answer", 5_000, () => client.received.length > 0);
  client.send("1.mp3");
  await until("the song", 5_000, () => client.received.at(-1)?.length === 1);
  expect(client.received.map(({ length }) => length)).toEqual([0, 1]);
});

function requestOf(name: string, token: Uint8Array = new Uint8Array(20)): Uint8Array {
  return encodeReliable({ type: "request", transfer: 7n, token, limit: 2048, name });
}
