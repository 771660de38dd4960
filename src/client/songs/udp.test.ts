/** The client against foreign servers: of the older protocol, and of a reliable one that is broken. */
import { afterEach, describe, expect, test } from "bun:test";
import { decodeDiscover, decodeReliable, encodeReliable, tokenBytes } from "../../wire/reliable-udp.ts";
import { OldSongServer, type OldSongServerBehaviour } from "../../testing/harness/servers/old-song-server.ts";
import { receive } from "../../testing/harness/servers/song-server.ts";
import { openSongUdp, type SongUdpOptions } from "./udp.ts";
import type { SongDownload } from "./song.ts";

const song = new Uint8Array(5000).map((_, at) => at % 251);
const songs = new Map([
  ["song", song],
  ["albums/Käse und Brot.ogg", song],
]);
const discover = /^[a-z0-9-]{41}$/;

let close: (() => void) | undefined;
afterEach(() => close?.());

async function oldServer(behaviour: OldSongServerBehaviour = {}): Promise<OldSongServer> {
  const server = await OldSongServer.start(songs, behaviour);
  close = () => server[Symbol.dispose]();
  return server;
}

function open(port: number, options: Partial<SongUdpOptions> = {}): Promise<SongDownload> {
  return openSongUdp({ host: "127.0.0.1", port, name: "song", ...options });
}

describe("a song from an older server", () => {
  test.each(["empty", "text"] as const)(
    "uses the older protocol at once if the answer to DISCOVER is %s",
    async (unknown) => {
      const server = await oldServer({ unknown });
      const started = performance.now();
      const { bytes, result, download } = await receive(await open(server.port));
      expect(bytes).toEqual(song);
      expect(download.size).toBeUndefined();
      expect(result).toEqual({ bytes: 5000, complete: undefined, verified: false });
      expect(performance.now() - started).toBeLessThan(1_500);
      expect(server.requests).toEqual([expect.stringMatching(discover), "song"]);
    },
  );

  test("uses the older protocol if DISCOVER is not answered", async () => {
    const server = await oldServer({ unknown: "nothing" });
    expect((await receive(await open(server.port))).bytes).toEqual(song);
  });

  test("is not asked for anything but names in printable UTF-8, which some servers do not survive", async () => {
    const server = await oldServer();
    for (const reliable of ["auto", "never", "only"] as const) {
      for (const name of ["song", "albums/Käse und Brot.ogg", "none", "x\ny", "\0", "\u0085", "x\u007f"]) {
        const got = await open(server.port, { name, reliable }).then(receive, (error: Error) => error);
        if (reliable === "only") expect(String(got)).toContain("does not speak reliable UDP");
        else if (/\p{Cc}/u.test(name)) expect(String(got)).toContain("bad argument");
        else expect(got).toMatchObject({ bytes: songs.get(name) ?? new Uint8Array(0) });
      }
    }
    expect(server.fatal).toBeUndefined();
  });

  test("is requested with nothing but its name if the older protocol is chosen", async () => {
    const server = await oldServer();
    expect((await receive(await open(server.port, { reliable: "never" }))).bytes).toEqual(song);
    expect(server.requests).toEqual(["song"]);
  });

  test("is requested again if the request was lost", async () => {
    const server = await oldServer({ ignored: 2 });
    expect((await receive(await open(server.port, { reliable: "never" }))).bytes).toEqual(song);
    expect(server.requests).toEqual(["song", "song", "song"]);
  });

  test("lacks lost datagrams, and is incomplete if its size is known", async () => {
    const { port } = await oldServer({ lost: [2] });
    const known = await receive(await open(port, { reliable: "never", size: 5000 }));
    expect(known.result).toEqual({ bytes: 5000 - 1024, complete: false, verified: false });
    const unknown = await receive(await open(port, { reliable: "never" }));
    expect(unknown.result).toEqual({ bytes: 5000 - 1024, complete: undefined, verified: false });
  });

  test("ends by an idle timeout if its last datagram was lost", async () => {
    const { port } = await oldServer({ ends: false });
    const { bytes, result } = await receive(await open(port, { reliable: "never" }));
    expect(bytes).toHaveLength(4096);
    expect(result.complete).toBe(false);
  });

  test("that does not exist is empty, and an invalid request is an error", async () => {
    const { port } = await oldServer();
    expect(open(port, { reliable: "only" })).rejects.toThrow("does not speak reliable UDP");
    expect((await receive(await open(port, { name: "none" }))).result.bytes).toBe(0);
    expect(open(port, { name: "" })).rejects.toThrow("bad argument");
    expect(open(port, { name: "x".repeat(1025) })).rejects.toThrow("bad argument");
    close?.();
    expect(open(port)).rejects.toThrow("cannot reach the server");
  });
});

type Send = (datagram: Uint8Array) => void;

/** A server whose answers the test writes: it gets the number of the transfer, and whether the token was returned. */
async function reliableServer(answer: (transfer: bigint, hasToken: boolean, send: Send) => void) {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "uint8array",
    socket: {
      data: (socket, request, port, address) => {
        const discovered = decodeDiscover(request);
        const message = decodeReliable(request);
        const transfer = discovered ?? (message?.type === "request" ? message.transfer : undefined);
        if (transfer === undefined) return;
        answer(transfer, discovered === undefined, (out) => void socket.send(out, port, address));
      },
      error() {},
    },
  });
  close = () => socket.close();
  return socket.port;
}

const token = new Uint8Array(tokenBytes).fill(7);

test("a song whose bytes were changed on the network is an error", async () => {
  const port = await reliableServer((transfer, hasToken, send) => {
    if (!hasToken) return send(encodeReliable({ type: "token", transfer, token }));
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

test("an answer to another request is ignored, and after a token whatever is not of the protocol", async () => {
  const port = await reliableServer((transfer, hasToken, send) => {
    send(encodeReliable({ type: "error", transfer: transfer ^ 1n, code: "SONG_UNKNOWN" }));
    if (!hasToken) send(encodeReliable({ type: "token", transfer, token }));
    send(new Uint8Array(0));
    send(Buffer.from("forged"));
    if (hasToken) send(encodeReliable({ type: "error", transfer, code: "SONG_CHANGED" }));
  });
  expect(open(port)).rejects.toThrow("SONG_CHANGED");
});

test("a server that answers DISCOVER but no request does not get plain requests", async () => {
  const port = await reliableServer((transfer, hasToken, send) => {
    if (!hasToken) send(encodeReliable({ type: "token", transfer, token }));
  });
  expect(open(port)).rejects.toThrow("no answer in time");
});
