/** The client against servers with TLS: which certificates it trusts, and how it reports others. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { runClient } from "../harness/client-process.ts";
import { type CertificateOptions, makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const folder = temporaryFolder();
const ca = join(folder.path, "authority.pem");
const audio = join(folder.path, "audio.bin");
const wav = "data/samples/speech-16k-mono.wav";

const authority = await makeCertificate({ isAuthority: true });
const unknownAuthority = await makeCertificate({ isAuthority: true });

/** A server with a certificate of the trusted authority, unless the options differ. */
async function serverWith(name: string, options: CertificateOptions): Promise<TestServer> {
  const paths = await writeCertificate(
    join(folder.path, name),
    await makeCertificate({ authority, ...options }),
  );
  return await TestServer.start({
    env: { WAVECACHE_TLS: "true" },
    flags: { "tls-cert": paths.cert, "tls-key": paths.key },
  });
}

const servers: Record<string, TestServer> = {};
const untrusted: [kind: string, options: CertificateOptions, says: RegExp][] = [
  ["another host", { names: ["example.org"] }, /for another host: 127\.0\.0\.1:\d+ \(.+\)/],
  [
    "an unknown authority",
    { authority: unknownAuthority },
    /the server's certificate is not trusted: .+ \(give .+ --ca FILE/,
  ],
  ["the past", { fromDays: -9, toDays: -1 }, /has expired: .+ \(.+\)/],
];

beforeAll(async () => {
  await Bun.write(ca, authority.cert);
  await Bun.write(audio, "audio");
  servers["good"] = await serverWith("good", {});
  for (const [kind, options] of untrusted) servers[kind] = await serverWith(kind, options);
});

afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.dispose()));
  folder[Symbol.dispose]();
});

/** One command each over https, over wss, and over wss as a device. */
function commands(server: TestServer): string[][] {
  const ingest = `${new URL(server.url).origin}/ws`;
  return [
    ["list", "--server", server.url],
    ["upload", audio, "--server", server.url],
    ["stream", "--wav", wav, "--url", ingest],
  ];
}

describe("the client over TLS", () => {
  test("works with a server whose certificate an authority of --ca has signed", async () => {
    for (const command of commands(servers["good"]!)) {
      const run = await runClient([...command, "--ca", ca]);
      expect(run.code, run.err).toBe(0);
    }
    const back = join(folder.path, "back.bin");
    const run = await runClient(["-i", audio, "-o", back, "-s", servers["good"]!.url, "--ca", ca]);
    expect(run.out).toContain("identical");
  });

  test("trusts no certificate without --ca", async () => {
    for (const command of commands(servers["good"]!)) {
      const run = await runClient(command);
      expect(run.code).toBe(1);
      expect(run.err).toContain("the server's certificate is not trusted");
    }
  });

  test.each(untrusted)("rejects a certificate of %s in one line with a hint", async (kind, _, says) => {
    for (const command of commands(servers[kind]!)) {
      const run = await runClient([...command, "--ca", ca]);
      expect(run.code, run.err).toBe(1);
      expect(run.err.trimEnd().split("\n").at(-1)).toMatch(says);
    }
  });

  test.each(untrusted)("accepts a certificate of %s with --insecure", async (kind) => {
    for (const command of commands(servers[kind]!)) {
      const run = await runClient([...command, "--insecure"]);
      expect(run.code, run.err).toBe(0);
    }
  });

  test("rejects a --ca file without certificates, and both options together", async () => {
    const [command] = commands(servers["good"]!);
    const missing = await runClient([...command!, "--ca", join(folder.path, "missing.pem")]);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("missing.pem")]);
    const none = await runClient([...command!, "--ca", audio]);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining("no certificate in PEM")]);
    const both = await runClient([...command!, "--ca", ca, "--insecure"]);
    expect([both.code, both.err]).toEqual([2, expect.stringContaining("exclude each other")]);
  });

  test("reports that a server does not speak TLS", async () => {
    await using plain = await TestServer.start();
    for (const command of commands(plain)) {
      const run = await runClient(command.map((part) => part.replace("ws://", "wss://")));
      expect(run.code).toBe(1);
      expect(run.err).toContain("does not speak TLS here");
    }
  });
});
