/** Webhooks over TLS: the connection goes to the address that was checked, and the certificate has to fit the name. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createSecureContext, createServer, type TlsOptions } from "node:tls";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { makeCertificate, type TestCertificate } from "../harness/certificates.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

let folder: ReturnType<typeof temporaryFolder>;
let authority: TestCertificate;
let authorityFile: string;

beforeAll(async () => {
  folder = temporaryFolder();
  authority = await makeCertificate({ isAuthority: true });
  authorityFile = join(folder.path, "authority.pem");
  await Bun.write(authorityFile, authority.cert);
});

afterAll(() => {
  folder[Symbol.dispose]();
});

/** A receiver with a certificate for one name, which notes the names that clients ask for, and their requests. */
async function startReceiver(name: string, authority: TestCertificate | undefined) {
  const signing = authority === undefined ? {} : { authority };
  const certificate = await makeCertificate({ names: [name], ...signing });
  const received = { names: [] as string[], requests: [] as string[] };
  const SNICallback: TlsOptions["SNICallback"] = (asked, done) => {
    received.names.push(asked);
    done(null, createSecureContext(certificate));
  };
  const server = createServer({ ...certificate, SNICallback }, (socket) => {
    socket.once("data", (request) => {
      received.requests.push(request.toString());
      socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    });
    // A client that refuses the certificate leaves.
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, ...received, [Symbol.dispose]: () => void server.close() };
}

/** Why a test of the webhook failed; null if it was delivered. */
async function failureOf(server: TestServer, name: string): Promise<string | null> {
  const response = await fetch(`${server.httpBase}/api/hooks/${name}/test`, { method: "POST" });
  return ((await response.json()) as { error: string | null }).error;
}

test("a webhook over TLS asks for the name, and refuses another certificate than the name's", async () => {
  using good = await startReceiver("localhost", authority);
  using other = await startReceiver("other.example", authority);
  using unknown = await startReceiver("localhost", undefined);
  const hook = [
    `good=https://localhost:${good.port}/x stream.*`,
    `address=https://127.0.0.1:${good.port}/x stream.*`,
    `other=https://localhost:${other.port}/x stream.*`,
    `unknown=https://localhost:${unknown.port}/x stream.*`,
  ].join(";");
  await using server = await TestServer.start({
    flags: { hook, "hook-allow": "127.0.0.0/8,::1" },
    env: { NODE_EXTRA_CA_CERTS: authorityFile },
  });
  expect(await failureOf(server, "good")).toBeNull();
  expect(good.names).toEqual(["localhost"]);
  expect(good.requests).toHaveLength(1);
  expect(good.requests[0]).toContain(`Host: localhost:${good.port}`);
  expect(await failureOf(server, "address")).toContain("127.0.0.1");
  expect(await failureOf(server, "other")).toContain("localhost");
  expect(other.names).toEqual(["localhost"]);
  expect(await failureOf(server, "unknown")).toContain("unable to verify");
  expect([...good.requests.slice(1), ...other.requests, ...unknown.requests]).toEqual([]);
});
