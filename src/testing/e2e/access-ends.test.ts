/** What is open when the right to it ends, and credentials of other kinds than tokens, against the real server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SignJWT } from "jose";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSongUdp } from "../../client/songs/udp.ts";
import { subprotocol } from "../../wire/v1/messages.ts";
import { createToken, type MadeToken, revokeToken } from "../harness/access.ts";
import { makeCertificate } from "../harness/certificates.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { DeviceChannel } from "../harness/peers/device-channel.ts";
import { IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { RawUdp } from "../harness/peers/raw-udp.ts";
import { fetchSong, SongPeer } from "../harness/peers/song-peer.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";

useServers();

const secret = "0123456789abcdef0123456789abcdef";
/** More than sockets buffer: it is under way until somebody reads it. */
const longBytes = 32 * 1024 * 1024;

let server: TestServer;
let root: MadeToken;

beforeAll(async () => {
  server = await TestServer.start();
  const secretFile = join(server.folder, "jwt.secret");
  writeFileSync(secretFile, secret, { mode: 0o600 });
  root = await createToken(server, ["*"]);
  mkdirSync(join(server.folder, "library"), { recursive: true });
  writeFileSync(join(server.folder, "library", "song.wav"), "song");
  writeFileSync(join(server.folder, "library", "open.wav"), "open");
  writeFileSync(join(server.folder, "library", "long.wav"), new Uint8Array(longBytes));
  const ports = { "tls-port": 0, "udp-port": 0, "grpc-port": 0 };
  const anonymous = "read:library/open.wav@127.0.0.0/30";
  await server.restart({ flags: { ...ports, "jwt-secret-file": secretFile, anonymous } });
  const path = `${server.httpBase}/api/streams/shared.1/audio`;
  expect((await fetch(path, { method: "PUT", body: "shared", headers: root.headers })).status).toBe(201);
});

afterAll(async () => {
  await server.dispose();
});

describe("a token that is revoked", () => {
  test("ends what it has open, in every protocol", async () => {
    const { id, text } = await createToken(server, ["*"]);
    const byUrl = await V1Peer.open(`${server.url}?token=${text}`);
    const byHello = await V1Peer.open(server.url, { revision: 3, token: text });
    const microphone = await IngestDevice.open(server.httpBase, pcmFormat, "attic", text);
    const channel = new DeviceChannel(`127.0.0.1:${server.grpcPort}`, undefined, text);
    const call = channel.openStatus("d1");
    const status = new Promise<number | undefined>((resolve) =>
      call.on("error", (error: Error & { code?: number }) => resolve(error.code)),
    );
    const device = `${server.httpBase}/api/devices/d1`;
    await until(
      "the device is there",
      5_000,
      async () => (await fetch(device, { headers: root.headers })).ok,
    );
    const song = await SongPeer.open(server.tlsPort);
    song.ask(`long.wav?token=${text}`);
    await until("the song is under way", 5_000, () => song.receivedBytes > 0);
    song.socket.pause();
    const transfer = await openSongUdp({
      host: "127.0.0.1",
      port: server.udpPort,
      name: `long.wav?token=${text}`,
      reliable: "only",
    });

    await revokeToken(server, id);
    song.socket.resume();
    await Promise.all([byUrl.socket.ended, byHello.socket.ended]);
    expect([byUrl.closeCode, byHello.closeCode]).toEqual([4401, 4401]);
    expect(byHello.fault?.code).toBe("UNAUTHENTICATED");
    expect((await microphone.closed()).code).toBe(4401);
    expect(await status).toBe(16);
    const { bytes, failure } = await song.heard;
    expect([bytes.length < longBytes, failure]).toEqual([true, "ECONNRESET"]);
    const rest = await Array.fromAsync(transfer.chunks).catch((error: Error) => error.message);
    expect(rest).toContain("connection lost");
    channel.close();
  });
});

describe("a JWT", () => {
  test("in HELLO counts for what follows it at once", async () => {
    const jwt = await new SignJWT({ wavecache: "read:streams/shared.*" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(Buffer.from(secret));
    const peer = await V1Peer.open(server.url, null);
    peer.sendHello({ revision: 3, token: jwt });
    peer.send({ type: "INFO", channel: 1, streamId: "shared.1" });
    peer.send({ type: "INFO", channel: 2, streamId: "other" });
    expect((await peer.next(1)).type).toBe("STREAMS");
    expect(await peer.errorOn(2)).toBe("STREAM_UNKNOWN");
    peer.socket[Symbol.dispose]();
  });

  test("in HELLO that is wrong ends the connection before anything is done", async () => {
    const peer = await V1Peer.open(server.url, null);
    peer.sendHello({ revision: 3, token: "a.b.c" });
    peer.send({ type: "INFO", channel: 1, streamId: "shared.1" });
    await peer.socket.ended;
    expect([peer.fault?.code, peer.closeCode, peer.poll(1)]).toEqual(["UNAUTHENTICATED", 4401, undefined]);
  });
});

describe("a subprotocol", () => {
  test("may be the token, for browsers", async () => {
    const offered = `token.${Buffer.from(root.text).toString("base64url")}`;
    const socket = new WebSocket(server.url, [subprotocol, offered]);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    expect(socket.protocol).toBe(subprotocol);
    socket.close();
  });
});

describe("a client certificate", () => {
  test("stands for a token, until that is revoked", async () => {
    const [mine, other] = [await makeCertificate(), await makeCertificate()];
    const file = join(server.folder, "client.pem");
    writeFileSync(file, mine.cert);
    const { id } = await createToken(server, ["read:library/song.wav"], "--certificate", file);
    expect((await fetchSong(server.tlsPort, "song.wav", mine)).bytes.toString()).toBe("song");
    expect((await fetchSong(server.tlsPort, "song.wav", other)).bytes.length).toBe(0);
    expect((await fetchSong(server.tlsPort, "song.wav")).bytes.length).toBe(0);
    await revokeToken(server, id);
    expect((await fetchSong(server.tlsPort, "song.wav", mine)).bytes.length).toBe(0);
  });
});

describe("a signed link", () => {
  test("is the name of its song over TLS and reliable UDP", async () => {
    const path = `${server.httpBase}/api/streams/shared.1/links?expires=1h`;
    const shared = await fetch(path, { method: "POST", headers: root.headers });
    const { url } = (await shared.json()) as { url: string };
    const link = new URL(url, server.httpBase).searchParams.get("link")!;
    for (const name of [link, `shared.1?link=${link}`])
      expect((await fetchSong(server.tlsPort, name)).bytes.toString()).toBe("shared");
    expect((await fetchSong(server.tlsPort, `song.wav?link=${link}`)).bytes.length).toBe(0);
    const song = await openSongUdp({
      host: "127.0.0.1",
      port: server.udpPort,
      name: link,
      reliable: "only",
    });
    expect(Buffer.concat(await Array.fromAsync(song.chunks)).toString()).toBe("shared");
  });
});

describe("a link that expires", () => {
  test("ends the answer that follows an upload, and the WebSocket that it opened", async () => {
    const uploader = await AudioCachePeer.open(`${server.url}?token=${root.text}`);
    await uploader.start("growing");
    await uploader.sendAudio(new Uint8Array(1000));
    const path = `${server.httpBase}/api/streams/growing/links?expires=2s`;
    const shared = await fetch(path, { method: "POST", headers: root.headers });
    const { link } = (await shared.json()) as { link: string };
    const peer = await V1Peer.open(`${server.url}?link=${link}`);
    const followed = await fetch(`${server.httpBase}/api/streams/growing/audio?follow=1&link=${link}`);
    expect(followed.status).toBe(200);
    const body = followed.arrayBuffer().then(
      () => "whole",
      () => "cut",
    );
    expect(await within("the end of the answer", 5_000, body)).toBe("cut");
    await within("the end of the connection", 5_000, peer.socket.ended);
    expect(peer.closeCode).toBe(4401);
    await uploader.stop("growing");
    uploader.socket[Symbol.dispose]();
  });
});

/** The first datagram that answers a request. */
async function ask(name: string, address?: string): Promise<string> {
  using peer = await RawUdp.open(server.udpPort, address);
  peer.send(Buffer.from(name));
  await until("an answer", 5_000, () => peer.received.length > 0);
  return Buffer.from(peer.received[0]!).toString();
}

describe("plain UDP", () => {
  test("serves what anonymous may read from the address, and nothing else", async () => {
    expect(await ask("open.wav")).toBe("open");
    expect(await ask("song.wav")).toBe("");
    expect(await ask("missing.wav")).toBe("");
    expect(await ask(`song.wav?token=${root.text}`)).toBe("");
    await server.untilLogged("principal=anonymous action=read resource=library/song.wav");
    expect(await ask("open.wav", "127.0.0.9")).toBe("");
    expect(server.log).not.toContain("wc_");
  });
});
