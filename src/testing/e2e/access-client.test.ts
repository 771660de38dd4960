/** The command line client and the library on a server that is closed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../client/v1/bun.ts";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { createToken, type MadeToken } from "../harness/access.ts";
import { runClient } from "../harness/client-process.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const pcm = new Uint8Array(3200);
const wav = Buffer.concat([encodeWavHeader(16_000, 1, pcm.length), pcm]);

let server: TestServer;
let root: MadeToken;
let env: Record<string, string>;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "tls-port": 0, "udp-port": 0, "grpc-port": 0 } });
  mkdirSync(join(server.folder, "library"), { recursive: true });
  writeFileSync(join(server.folder, "library", "song.wav"), wav);
  writeFileSync(join(server.folder, "in.wav"), wav);
  root = await createToken(server, ["*"]);
  env = { WAVECACHE_TOKEN: root.text };
});

afterAll(async () => {
  await server.dispose();
});

async function run(args: string[], more: Record<string, string> = env) {
  const finished = await runClient(args, { cwd: server.folder, env: more });
  expect(finished.out + finished.err).not.toContain(root.text);
  return finished;
}

for (const protocol of ["v1", "legacy"]) {
  test(`uploads and downloads by ${protocol}, with the token in the environment`, async () => {
    const flags = ["--server", server.url, "--protocol", protocol];
    const uploaded = await run(["upload", "in.wav", "--id", `by-${protocol}`, ...flags]);
    expect(uploaded.code).toBe(0);
    const output = join(server.folder, `${protocol}.wav`);
    expect((await run(["download", `by-${protocol}`, "-o", output, ...flags])).code).toBe(0);
    expect(readFileSync(output).equals(wav)).toBe(true);
    const refused = await run(["download", `by-${protocol}`, "-o", "x.wav", "--retries", "0", ...flags], {});
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("credential missing or wrong")]);
  });
}

test("lists and shares with a token in the option, or in the address, and shows neither", async () => {
  const listed = await runClient(["list", "--server", server.url, "--token", root.text, "--json"]);
  expect(listed.out).toContain("by-v1");
  const shared = await run(
    ["share", "by-v1", "--expires", "1h", "--server", `${server.url}?token=${root.text}`],
    {},
  );
  expect(shared.code).toBe(0);
  const answer = await fetch(shared.out.trim());
  expect(Buffer.from(await answer.arrayBuffer()).equals(wav)).toBe(true);
  const verbose = [
    "download",
    "by-v1",
    "-o",
    "y.wav",
    "--verbose",
    "--server",
    `${server.url}?token=${root.text}`,
  ];
  expect((await run(verbose, {})).code).toBe(0);
});

test("gets a song over TLS and reliable UDP, and sends live audio and a device", async () => {
  const ca = join(server.cacheDir, "tls", "cert.pem");
  const tls = ["song", "song.wav", "--tls", `localhost:${server.tlsPort}`, "--ca", ca, "-o", "tls.wav"];
  expect((await run(tls)).code).toBe(0);
  const udp = ["song", "song.wav", "--udp", `127.0.0.1:${server.udpPort}`, "--reliable", "-o", "udp.wav"];
  expect((await run(udp)).code).toBe(0);
  for (const file of ["tls.wav", "udp.wav"])
    expect(readFileSync(join(server.folder, file)).equals(wav)).toBe(true);
  const ingest = ["stream", "--wav", "in.wav", "--url", `${server.httpBase}/ws`, "--hwid", "attic"];
  expect((await run(ingest)).code).toBe(0);
  const device = [
    "device",
    "--grpc",
    `127.0.0.1:${server.grpcPort}`,
    "--press",
    "mode",
    "--output",
    server.folder,
  ];
  expect((await run(device)).code).toBe(0);
});

test("says who it is in HELLO, as a library", async () => {
  const client = await connect(server.url, { token: root.text });
  expect((await client.info("by-v1"))?.streamId).toBe("by-v1");
  client.close();
  const unknown = await connect(server.url, { token: "wrong", retry: { retries: 0 } });
  const refused = await unknown.info("by-v1").catch((error: Error) => error.message);
  expect(refused).toContain("credential missing or wrong");
  unknown.close();
});
