import { beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { cleanups } from "../../testing/fixtures/client.ts";
import {
  type CertificateOptions,
  makeCertificate,
  type TestCertificate,
} from "../../testing/harness/certificates.ts";
import { until, within } from "../../testing/harness/until.ts";
import { openSongTls, type SongTlsOptions } from "./tls.ts";

const cleanup = cleanups();
const waitMs = 10_000;

let authority: TestCertificate;
let good: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate({ isAuthority: true });
  good = await makeCertificate({ authority });
});

/** A server that answers a request as the test says. */
async function serve(answer: (socket: TLSSocket, name: string) => void, pair = good): Promise<number> {
  const sockets = new Set<TLSSocket>();
  const server: Server = createServer(pair, (socket) => {
    sockets.add(socket);
    socket.on("error", () => sockets.delete(socket));
    socket.once("data", (request: Buffer) => answer(socket, request.toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const open = (port: number, options: Partial<SongTlsOptions> = {}) =>
  openSongTls({ host: "127.0.0.1", port, name: "song", trust: { ca: authority.cert }, ...options });

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  return Buffer.concat(pieces);
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await within("the end", waitMs, promise);
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  return "no failure";
}

describe("a song over TLS", () => {
  test("arrives as the server sends it, and ends with the connection", async () => {
    const port = await serve((socket, name) => socket.end(`${name}${"x".repeat(3_000_000)}`));
    const song = await open(port, { name: "夜/a b.mp3" });
    expect(song).toMatchObject({ size: undefined, sha256: undefined });
    expect((await bytesOf(song.chunks)).toString()).toBe(`夜/a b.mp3${"x".repeat(3_000_000)}`);
    const bytes = 3_000_000 + Buffer.byteLength("夜/a b.mp3");
    expect(await song.result).toEqual({ bytes, complete: undefined, verified: false });
  });

  test("that does not exist has no data", async () => {
    const port = await serve((socket) => socket.end());
    const song = await open(port);
    expect(await bytesOf(song.chunks)).toHaveLength(0);
    expect((await song.result).bytes).toBe(0);
  });

  test("that is cut off or stalls is a lost connection", async () => {
    const cut = await open(await serve((socket) => socket.write("half", () => socket.resetAndDestroy())));
    expect(await codeOf(bytesOf(cut.chunks))).toBe("CONNECTION_LOST");
    expect(await codeOf(cut.result)).toBe("CONNECTION_LOST");
    const still = await open(await serve((socket) => socket.write("half")), { stallTimeoutMs: 100 });
    expect(await codeOf(bytesOf(still.chunks))).toBe("CONNECTION_LOST");
  });

  test("ends at once when its signal aborts", async () => {
    const controller = new AbortController();
    const song = await open(await serve((socket) => socket.write("half")), { signal: controller.signal });
    const reason = new Error("enough");
    const failure = codeOf(bytesOf(song.chunks));
    controller.abort(reason);
    expect(await failure).toBe(reason);
    expect(await codeOf(open(1, { signal: controller.signal }))).toBe(reason);
  });

  test("ends when its reader stops", async () => {
    let isOver = false;
    const port = await serve((socket) => {
      socket.on("close", () => (isOver = true));
      socket.write("x".repeat(50_000_000));
    });
    const song = await open(port);
    for await (const chunk of song.chunks) if (chunk.length > 0) break;
    await until("the server sees it", waitMs, () => isOver);
    expect((await song.result).bytes).toBeGreaterThan(0);
  });

  test("is not requested from a server without a trusted certificate", async () => {
    const cases: [CertificateOptions, string][] = [
      [{ names: ["example.org"] }, "CERTIFICATE_OF_OTHER_HOST"],
      [{ authority: await makeCertificate({ isAuthority: true }) }, "CERTIFICATE_UNTRUSTED"],
      [{ fromDays: -9, toDays: -1 }, "CERTIFICATE_EXPIRED"],
      [{ fromDays: 5, toDays: 9 }, "CERTIFICATE_TOO_NEW"],
    ];
    for (const [options, code] of cases) {
      let asked = 0;
      const count = (socket: TLSSocket) => {
        asked += 1;
        socket.end("song");
      };
      const port = await serve(count, await makeCertificate({ authority, ...options }));
      expect(await codeOf(open(port))).toBe(code);
      expect(asked).toBe(0);
      const song = await open(port, { trust: { insecure: true } });
      expect((await bytesOf(song.chunks)).toString()).toBe("song");
    }
  });

  test("fails with different codes if the server is unreachable, silent, or without TLS", async () => {
    const silent = createTcpServer(() => undefined);
    const talker = createTcpServer(
      (socket) => void socket.on("error", () => undefined).write("220 hello\r\n"),
    );
    const ports: number[] = [];
    for (const server of [silent, talker]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      cleanup(() => void server.close());
      ports.push((server.address() as AddressInfo).port);
    }
    expect(await codeOf(open(1))).toBe("UNREACHABLE");
    expect(await codeOf(open(ports[0]!, { connectTimeoutMs: 100 }))).toBe("CONNECT_TIMEOUT");
    expect(await codeOf(open(ports[1]!))).toBe("NO_TLS");
    expect(await codeOf(open(1, { name: "" }))).toBe("BAD_ARGUMENT");
    expect(await codeOf(open(1, { name: "é".repeat(513) }))).toBe("BAD_ARGUMENT");
  });
});
