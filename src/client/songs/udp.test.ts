/** The client against foreign servers of the older protocol. */
import { afterEach, describe, expect, test } from "bun:test";
import { encodeReliable, isReliable } from "../../wire/reliable-udp.ts";
import { receive } from "../../testing/harness/servers/song-server.ts";
import { openSongUdp, type SongUdpOptions } from "./udp.ts";
import type { SongDownload } from "./song.ts";

const song = new Uint8Array(5000).map((_, at) => at % 251);

type Answer = (request: Uint8Array, send: (datagram: Uint8Array) => void) => void;

let close: (() => void) | undefined;
afterEach(() => close?.());

async function serve(answer: Answer): Promise<number> {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "uint8array",
    socket: {
      data: (socket, request, port, address) =>
        answer(request, (out) => void socket.send(out, port, address)),
      error() {},
    },
  });
  close = () => socket.close();
  return socket.port;
}

/** Sends 1024 bytes at a time and drops the datagrams in `lost`; answers an unknown name with an empty datagram. */
function oldServer(lost: readonly number[] = [], end = true): Answer {
  return (request, send) => {
    if (Buffer.from(request).toString() !== "song") return send(new Uint8Array(0));
    for (let at = 0, number = 0; at <= song.length; at += 1024, number += 1) {
      const part = song.subarray(at, at + 1024);
      if (!lost.includes(number) && (end || part.length === 1024)) send(part);
    }
  };
}

function open(port: number, options: Partial<SongUdpOptions> = {}): Promise<SongDownload> {
  return openSongUdp({ host: "127.0.0.1", port, name: "song", ...options });
}

describe("a song from an older server", () => {
  test("uses the older protocol at once if the answer to the reliable request is empty", async () => {
    const started = performance.now();
    const { bytes, result, download } = await receive(await open(await serve(oldServer())));
    expect(bytes).toEqual(song);
    expect(download.size).toBeUndefined();
    expect(result).toEqual({ bytes: 5000, complete: undefined, verified: false });
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  test("uses the older protocol if the reliable request is not answered", async () => {
    const old = oldServer();
    const port = await serve((request, send) => isReliable(request) || old(request, send));
    expect((await receive(await open(port))).bytes).toEqual(song);
  });

  test("is requested again if the request was lost", async () => {
    let requests = 0;
    const old = oldServer();
    const port = await serve((request, send) => {
      requests += 1;
      if (requests > 2) old(request, send);
    });
    expect((await receive(await open(port, { reliable: "never" }))).bytes).toEqual(song);
    expect(requests).toBe(3);
  });

  test("lacks lost datagrams, and is incomplete if its size is known", async () => {
    const port = await serve(oldServer([2]));
    const known = await receive(await open(port, { reliable: "never", size: 5000 }));
    expect(known.result).toEqual({ bytes: 5000 - 1024, complete: false, verified: false });
    const unknown = await receive(await open(port, { reliable: "never" }));
    expect(unknown.result).toEqual({ bytes: 5000 - 1024, complete: undefined, verified: false });
  });

  test("ends by an idle timeout if its last datagram was lost", async () => {
    const port = await serve(oldServer([], false));
    const { bytes, result } = await receive(await open(port, { reliable: "never" }));
    expect(bytes).toHaveLength(4096);
    expect(result.complete).toBe(false);
  });

  test("that does not exist is empty, and an invalid request is an error", async () => {
    const port = await serve(oldServer());
    expect(open(port, { reliable: "only" })).rejects.toThrow("does not speak reliable UDP");
    expect((await receive(await open(port, { name: "none" }))).result.bytes).toBe(0);
    expect(open(port, { name: "" })).rejects.toThrow("bad argument");
    expect(open(port, { name: "x".repeat(1025) })).rejects.toThrow("bad argument");
    close?.();
    expect(open(port)).rejects.toThrow("cannot reach the server");
  });
});

test("a song whose bytes were changed on the network is an error", async () => {
  const port = await serve((request, send) => {
    if (!isReliable(request) || request[5] !== 1) return;
    const transfer = new DataView(request.buffer, request.byteOffset).getBigUint64(8, true);
    send(encodeReliable({ type: "song", transfer, size: 3, blockBytes: 1176, sha256: new Uint8Array(32) }));
    send(encodeReliable({ type: "data", transfer, block: 0, stamp: 0, bytes: Uint8Array.of(1, 2, 3) }));
  });
  // Not with `rejects`: it blocks the event loop while the batch of the first datagram holds more.
  const failure = await receive(await open(port)).then(
    () => "none",
    (error: Error) => error.message,
  );
  expect(failure).toBe("verification failed");
});

test("an answer to another request is ignored", async () => {
  const old = oldServer();
  const port = await serve((request, send) => {
    if (isReliable(request)) send(encodeReliable({ type: "error", transfer: 1n, code: "SONG_UNKNOWN" }));
    old(request, send);
  });
  expect((await receive(await open(port))).bytes).toEqual(song);
});
