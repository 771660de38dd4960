/** `--tls`: https and wss on the main port and the ingest port, with certificates that are reloaded. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const waitMs = 20_000;
const env = { WAVECACHE_TLS: "true" };

/** SHA-256 of the certificate that a new connection gets; undefined if it fails, as it may during a reload. */
function fingerprintAt(address: string): Promise<string | undefined> {
  const { hostname: host, port } = new URL(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once("error", () => resolve(undefined));
  });
}

async function untilOtherThan(known: readonly string[], address: string): Promise<string> {
  return await until("a new certificate", waitMs, async () => {
    const shown = await fingerprintAt(address);
    return shown !== undefined && !known.includes(shown) && shown;
  });
}

/** A WebSocket client that sends one request at a time. */
class SecurePeer implements Disposable {
  readonly #socket: WebSocket;
  readonly #answers: string[] = [];
  closed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#answers.push(String(event.data)));
    socket.addEventListener("close", () => (this.closed = true));
  }

  static async open(url: string, ca: string): Promise<SecurePeer> {
    const socket = new WebSocket(url, { tls: { ca } });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", (event) => reject(new Error(event.message)));
    await within("a WebSocket over TLS", waitMs, promise);
    return new SecurePeer(socket);
  }

  async ask(message: string): Promise<string> {
    this.#socket.send(message);
    return await until("an answer", waitMs, () => this.#answers.shift());
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}

test("https and wss work on both ports with the given certificate, and plain connections do not", async () => {
  using folder = temporaryFolder();
  const made = await makeCertificate();
  const { cert, key } = await writeCertificate(folder.path, made);
  await using server = await TestServer.start({
    env,
    flags: { "tls-cert": cert, "tls-key": key, "ingest-port": 0 },
  });
  expect(server.url).toStartWith("wss://");
  const health = await fetch(`${server.httpBase}/healthz`, { tls: { ca: made.cert } });
  expect(await health.text()).toBe("ok\n");
  await expect(fetch(`${server.httpBase}/healthz`)).rejects.toThrow("certificate");
  await expect(fetch(`${server.httpBase.replace("https", "http")}/healthz`)).rejects.toThrow();
  const ingest = /wss:\/\/\S+\/ws(?=\s)/.exec(server.stdout)![0];
  for (const url of [server.url, `${ingest}/echo`]) {
    using peer = await SecurePeer.open(url, made.cert);
    expect(await peer.ask('{"type":"PING"}')).toContain("PING");
  }
});

test("both ports present a new certificate while WebSockets of the old one stay open", async () => {
  using folder = temporaryFolder();
  const [first, second, third] = [await makeCertificate(), await makeCertificate(), await makeCertificate()];
  const { cert, key } = await writeCertificate(folder.path, first);
  await using server = await TestServer.start({
    env,
    flags: { "tls-cert": cert, "tls-key": key, "ingest-port": 0 },
  });
  const ingest = /wss:\/\/\S+\/ws(?=\s)/.exec(server.stdout)![0];
  const peers = [await SecurePeer.open(server.url, first.cert)];
  const shown = [await untilOtherThan([], server.url)];
  for (const next of [second, third]) {
    await writeCertificate(folder.path, next);
    const latest = await untilOtherThan(shown, server.url);
    expect(await untilOtherThan(shown, ingest)).toBe(latest);
    shown.push(latest);
    peers.push(await SecurePeer.open(server.url, next.cert));
  }
  for (const [index, peer] of peers.entries()) {
    expect(await peer.ask(JSON.stringify({ type: "START", streamId: `s${index}` }))).toContain("STARTED");
  }
  await Bun.write(cert, "nonsense");
  await until("an error in the log", waitMs, () => server.log.includes("the certificate stays the old one"));
  expect(await fingerprintAt(server.url)).toBe(shown.at(-1)!);
  expect(await server.stop()).toBe(0);
  await until("all were closed", waitMs, () => peers.every((peer) => peer.closed));
});

test("without files the certificate is self-signed and survives a restart", async () => {
  await using server = await TestServer.start({ env });
  const ca = await Bun.file(join(server.cacheDir, "tls", "cert.pem")).text();
  expect(await (await fetch(`${server.httpBase}/healthz`, { tls: { ca } })).text()).toBe("ok\n");
  const shown = await untilOtherThan([], server.url);
  await server.untilLogged(shown);
  await server.restart();
  expect(await fingerprintAt(server.url)).toBe(shown);
});

test("two servers cannot share a port", async () => {
  using folder = temporaryFolder();
  await using server = await TestServer.start({ env });
  const { port } = new URL(server.url);
  const run = await runServerToExit(["--tls", "--port", port, "--cache-dir", folder.path], {}, waitMs);
  expect(run.code).not.toBe(0);
  expect(run.stderr).toContain(port);
});

test("an unusable certificate fails the start with one line that names the file", async () => {
  using folder = temporaryFolder();
  const { cert, key } = await writeCertificate(folder.path, await makeCertificate());
  await Bun.write(key, (await makeCertificate()).key);
  const args = ["--port", "0", "--cache-dir", folder.path, "--tls"];
  const run = await runServerToExit([...args, "--tls-cert", cert, "--tls-key", key], {}, waitMs);
  expect(run.code).not.toBe(0);
  expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
  expect(run.stderr).toContain(key);
});
