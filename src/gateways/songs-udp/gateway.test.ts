/** What forged and old datagrams do to the gateway: its songs are in memory, its clients are on several loopback addresses. */
import { afterEach, describe, expect, test } from "bun:test";
import { AddressList } from "../../base/address-list.ts";
import { WavecacheError } from "../../base/errors.ts";
import { openAccess } from "../../access/access.ts";
import { GatewayMeter } from "../../base/gateway-meter.ts";
import {
  maxUnvalidatedAddresses,
  unvalidatedFactor,
  unvalidatedStartBytes,
} from "../../base/limits/songs.ts";
import { openLog } from "../../base/log/log.ts";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { RawUdp } from "../../testing/harness/peers/raw-udp.ts";
import { ReliableUdpPeer } from "../../testing/harness/peers/reliable-udp-peer.ts";
import { until } from "../../testing/harness/until.ts";
import { decodeReliable, encodeReliable } from "../../wire/reliable-udp.ts";
import { SongsUdpGateway } from "./gateway.ts";
import type { UdpSong } from "./transfer.ts";

const waitMs = 10_000;
const outside = "127.0.0.2";
const long = new Random(1).bytes(300_001);
const other = new Random(2).bytes(100_001);
const opened: { close(): void }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

class Songs {
  readonly audio = new Map<string, Uint8Array>([
    ["long", long],
    ["other", other],
    ["l", long],
    ["short", Buffer.from("short")],
  ]);
  openSongs = 0;

  async open(name: string): Promise<UdpSong> {
    const audio = this.audio.get(name);
    if (audio === undefined) throw new WavecacheError("SONG_UNKNOWN");
    this.openSongs += 1;
    return {
      size: audio.length,
      sha256: undefined,
      read: async (offset, length) => audio.slice(offset, offset + length),
      noteDigest: async () => {},
      close: async () => void (this.openSongs -= 1),
    };
  }
}

/** Allows 127.0.0.1 only. */
async function openGateway() {
  const songs = new Songs();
  const meter = new GatewayMeter("songs-udp");
  const gateway = await SongsUdpGateway.open({
    host: "127.0.0.1",
    port: 0,
    allow: AddressList.parse("127.0.0.1")!,
    rateMbps: 10,
    songs,
    access: openAccess,
    meter,
    log: openLog("test"),
  });
  opened.push(gateway);
  const client = async (address?: string): Promise<RawUdp> => {
    const peer = await RawUdp.open(gateway.port, address);
    opened.push(peer);
    return peer;
  };
  return { gateway, songs, meter, client };
}

/** The bytes of a plain song up to its end, the first datagram that is shorter. */
async function plainSong(client: RawUdp): Promise<Uint8Array> {
  const end = await until("the end of the song", waitMs, () => {
    const at = client.received.findIndex(({ length }) => length < 1024);
    return at >= 0 && at + 1;
  });
  return Buffer.concat(client.received.splice(0, end));
}

describe("an address that is not validated", () => {
  test("is sent a small start and three times what it sent, whatever its ports", async () => {
    const { gateway, songs, client } = await openGateway();
    const clients = await Promise.all(Array.from({ length: 8 }, () => client(outside)));
    const receivedBytes = () => clients.reduce((sum, each) => sum + each.receivedBytes, 0);
    let sentBytes = 0;
    for (let times = 0; times < 64; times += 1) {
      clients[times % 8]!.send("l");
      sentBytes += 1;
      expect(receivedBytes()).toBeLessThanOrEqual(unvalidatedStartBytes + unvalidatedFactor * sentBytes);
    }
    await until("an answer", waitMs, () => receivedBytes() > 0);
    await until("no open song", waitMs, () => songs.openSongs === 0);
    // Allowed clients are served as ever, and after their song no answer to the others is on its way.
    const allowed = await client();
    allowed.send("long");
    expect(sha256(await plainSong(allowed))).toBe(sha256(long));
    expect(receivedBytes()).toBeLessThanOrEqual(unvalidatedStartBytes + unvalidatedFactor * sentBytes);
    gateway.close();
  });

  test("gets a short song whole, and a datagram without data for an unknown one", async () => {
    const { client } = await openGateway();
    const peer = await client(outside);
    peer.send("short");
    expect(Buffer.from(await plainSong(peer)).toString()).toBe("short");
    peer.send("unknown");
    expect(await plainSong(peer)).toHaveLength(0);
  });

  test("has its own limit, and their number is bounded", async () => {
    const { gateway, client } = await openGateway();
    for (let address = 0; address < maxUnvalidatedAddresses; address += 1)
      gateway.receive({ address: `10.0.${address >> 8}.${address & 255}`, port: 0 + 9 }, Buffer.from("none"));
    const late = await client(outside);
    late.send("l");
    const allowed = await client();
    allowed.send("short");
    await plainSong(allowed);
    expect(late.received).toEqual([]);
  });

  test("is served without a limit once it has returned a token", async () => {
    const { client } = await openGateway();
    const peer = await client(outside);
    const song = new ReliableUdpPeer("long", 1n);
    await song.begin(peer, await song.token(peer));
    expect(sha256(await song.receive(peer))).toBe(sha256(long));
  });
});

describe("a datagram with the address of a plain transfer in progress", () => {
  const id = 77n;
  const noToken = new Uint8Array(20);
  const forged: [string, Uint8Array | string][] = [
    ["the same request", "long"],
    ["a request of an unknown song", "unknown"],
    ["a name that is not UTF-8", Uint8Array.of(0xff)],
    ["a name that is too long", "x".repeat(1025)],
    ["an empty datagram", ""],
    [
      "a reliable request",
      encodeReliable({ type: "request", transfer: id, token: noToken, limit: 9, name: "a" }),
    ],
    ["a reliable close", encodeReliable({ type: "close", transfer: id, complete: true })],
    ["a broken reliable message", Buffer.from(`\0WCS${"\0".repeat(80)}`)],
    [
      "a reliable ACK",
      encodeReliable({
        type: "ack",
        transfer: id,
        next: 0,
        limit: 9,
        seen: 0,
        stamp: 0,
        heldMs: 0,
        missing: [],
      }),
    ],
    ["a search for the reliable protocol", "wavecache-reliable-udp-1-0123456789abcdef"],
  ];

  test.each(forged)("neither ends nor disturbs it: %s", async (_what, datagram) => {
    const { client } = await openGateway();
    const peer = await client();
    peer.send("long");
    await until("the beginning", waitMs, () => peer.received.length > 0);
    for (let times = 0; times < 5; times += 1) peer.send(datagram);
    expect(sha256(await plainSong(peer))).toBe(sha256(long));
  });

  test("that requests another song gets it afterwards", async () => {
    const { client, songs } = await openGateway();
    const peer = await client();
    peer.send("long");
    await until("the beginning", waitMs, () => peer.received.length > 0);
    for (const name of ["short", "unknown", "other"]) peer.send(name);
    expect(sha256(await plainSong(peer))).toBe(sha256(long));
    expect(sha256(await plainSong(peer))).toBe(sha256(other));
    await until("no open song", waitMs, () => songs.openSongs === 0);
  });
});

function typesOf(client: RawUdp): (string | undefined)[] {
  return client.received.map((each) => decodeReliable(each)?.type);
}

describe("a reliable transfer in progress", () => {
  const first = 5;

  /** A transfer whose client has the first blocks and the next ones are on their way. */
  async function begun() {
    const { client, ...rest } = await openGateway();
    const [peer, elsewhere] = [await client(), await client("127.0.0.3")];
    const song = new ReliableUdpPeer("long", 0x0102030405060708n);
    const token = await song.token(peer);
    await song.begin(peer, token);
    await song.receive(peer, first);
    return { ...rest, client, peer, elsewhere, song, token };
  }

  test("continues at another address of its client, and nowhere else", async () => {
    const { peer, elsewhere, song, songs, meter } = await begun();
    await song.begin(elsewhere, await song.token(elsewhere, song.ack()));
    // This answer follows everything that was sent to the old address before.
    await new ReliableUdpPeer("any", 99n).token(peer);
    expect(sha256(await song.receive(elsewhere))).toBe(sha256(long));
    expect(peer.received).toEqual([]);
    elsewhere.send(song.close());
    await until("no open song", waitMs, () => songs.openSongs === 0);
    expect([meter.connections, meter.connected]).toEqual([0, 1]);
  });

  test("continues at another port after the old one was closed, and later back at the first", async () => {
    const { client, peer, song, songs } = await begun();
    let via = peer;
    for (let blocks = 20; blocks <= 60; blocks += 20) {
      via.close();
      via = await client();
      await song.begin(via, await song.token(via, song.ack()));
      await song.receive(via, blocks);
    }
    expect(sha256(await song.receive(via))).toBe(sha256(long));
    via.send(song.close());
    await until("no open song", waitMs, () => songs.openSongs === 0);
  });

  test("stays where it is whatever comes from elsewhere without a token for there", async () => {
    const { peer, elsewhere, song, token } = await begun();
    const forged = [
      song.ack(),
      song.close(),
      song.request(),
      song.request(token),
      song.request(token.toReversed()),
    ];
    for (const datagram of forged) elsewhere.send(datagram);
    // One datagram with an answer that is certain to follow the others.
    elsewhere.send("short");
    await until("the last answer", waitMs, () => elsewhere.received.at(-1)?.length === 5);
    expect(typesOf(elsewhere)).toEqual(["token", "token", "token", "token", undefined]);
    const forgedBytes = forged.reduce((sum, { length }) => sum + length, 0);
    expect(elsewhere.receivedBytes - 5).toBeLessThanOrEqual(forgedBytes);
    expect(sha256(await song.receive(peer))).toBe(sha256(long));
  });

  test("is not moved back by late datagrams from the old address", async () => {
    const { peer, elsewhere, song, token } = await begun();
    const late = [song.request(), song.request(token), song.ack(), song.close()];
    await song.begin(elsewhere, await song.token(elsewhere, song.ack()));
    for (const datagram of late) peer.send(datagram);
    expect(sha256(await song.receive(elsewhere))).toBe(sha256(long));
  });

  test("is neither ended nor disturbed by datagrams with its address and another number", async () => {
    const { peer, song } = await begun();
    const intruder = new ReliableUdpPeer("other", 99n);
    const forged = [
      intruder.request(),
      intruder.ack(),
      intruder.close(),
      "short",
      "unknown",
      Uint8Array.of(0xff),
      "l",
    ];
    for (const datagram of forged) peer.send(datagram);
    expect(sha256(await song.receive(peer))).toBe(sha256(long));
    expect(song.unreadable).toBe(0);
  });
});
