/** Which versions and cipher suites the TLS ports agree to, asked by openssl. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { within } from "../harness/until.ts";

useServers();

const openssl = Bun.which("openssl");
const limitMs = 20_000;

/** The old suites and versions that openssl itself may refuse need its lowest security level. */
const refused: [name: string, args: string[]][] = [
  ["TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]],
  ["TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]],
  ["CBC with SHA-1", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"]],
  ["CBC with SHA-1 and 256 bits", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"]],
  ["CBC with SHA-256", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"]],
  ["keys without forward secrecy", ["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA"]],
  ["3DES, RC4 and no encryption", ["-tls1_2", "-cipher", "3DES:RC4:eNULL:@SECLEVEL=0"]],
];

const accepted: [name: string, args: string[]][] = [
  ["TLS 1.3", ["-tls1_3"]],
  ["AES-128-GCM", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"]],
  ["AES-256-GCM", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"]],
  ["ChaCha20", ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"]],
];

/** The suite that a handshake ends with; undefined if it fails. */
async function handshake(port: number, args: readonly string[]): Promise<string | undefined> {
  const client = Bun.spawn([openssl!, "s_client", "-connect", `127.0.0.1:${port}`, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const output = await within("openssl", limitMs, client.stdout.text());
    const suite = /Cipher is (\S+)/.exec(output)?.[1];
    return suite === "(NONE)" ? undefined : suite;
  } finally {
    client.kill();
  }
}

/** A key of RSA, with which the old suites would work too. */
async function rsaCertificate(folder: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const options = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"];
  const made = Bun.spawn([openssl!, "req", "-x509", ...options, "-keyout", key, "-out", cert], {
    stderr: "ignore",
  });
  expect(await made.exited).toBe(0);
  return { cert, key };
}

const ports = { "tls-port": 0, "ingest-port": 0, "grpc-port": 0 };

function portsOf(server: TestServer): number[] {
  const all = [...server.stdout.matchAll(/\b(?:wss|https|tls|grpcs):\/\/[^\s:]+:(\d+)/g)];
  return [...new Set(all.map(([, port]) => Number(port)))];
}

for (const kind of ["ECDSA", "RSA"] as const) {
  describe.skipIf(openssl === null)(`each TLS port, with a key of ${kind}`, () => {
    let folder: ReturnType<typeof temporaryFolder>;
    let server: TestServer;

    beforeAll(async () => {
      folder = temporaryFolder();
      const files = kind === "RSA" ? await rsaCertificate(folder.path) : undefined;
      const flags = files === undefined ? ports : { ...ports, "tls-cert": files.cert, "tls-key": files.key };
      server = await TestServer.start({ flags, env: { WAVECACHE_TLS: "true", WAVECACHE_GRPC_TLS: "true" } });
      expect(portsOf(server).length).toBe(4);
    });

    afterAll(async () => {
      await server?.dispose();
      folder?.[Symbol.dispose]();
    });

    test.each(accepted)("speaks %s", async (_, args) => {
      for (const port of portsOf(server)) expect(await handshake(port, args)).toBeDefined();
    });

    test.each(refused)("does not speak %s", async (_, args) => {
      for (const port of portsOf(server)) expect(await handshake(port, args), `port ${port}`).toBeUndefined();
    });
  });
}
