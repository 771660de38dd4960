/** `client health` as a probe calls it. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { runClient } from "../harness/client-process.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const probe = (url: string, ...flags: string[]) => runClient(["health", "--server", url, ...flags]);

test("a probe of a server that lives and is ready ends with 0", async () => {
  await using server = await TestServer.start();
  expect(await probe(server.url)).toEqual({ out: "alive\n", err: "", code: 0 });
  expect(await probe(server.url, "--ready", "--json")).toMatchObject({ err: "", code: 0 });
});

test("a probe of a server that cannot do its work says why, and that it lives", async () => {
  await using server = await TestServer.start();
  rmSync(join(server.cacheDir, "objects-v1"), { recursive: true });
  await fetch(`${server.httpBase}/api/streams/lost/audio`, { method: "PUT", body: "some audio" });
  const { err, code } = await probe(server.url, "--ready");
  expect({ err, code }).toEqual({
    err: "error: the server is not ready: STORE_LOST (see its log)\n",
    code: 1,
  });
  expect((await probe(server.url)).code).toBe(0);
});

test("a probe ends with 1 where nothing listens, and where something else does", async () => {
  const other = createServer((_, response) => response.end("hello"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const { err, code } = await probe(`127.0.0.1:${port}`);
  expect({ err, code }).toEqual({
    err: "error: this is no Wavecache server (check host and port)\n",
    code: 1,
  });
  await new Promise((resolve) => other.close(resolve));
  expect((await probe(`127.0.0.1:${port}`)).code).toBe(1);
});

test("a probe of this machine's server needs no certificate, over HTTP and over HTTPS", async () => {
  for (const flags of [{}, { tls: "on" }] as Record<string, string>[]) {
    await using server = await TestServer.start({ flags });
    const port = ["--port", new URL(server.url).port];
    expect(await runClient(["health", ...port])).toEqual({ out: "alive\n", err: "", code: 0 });
    expect((await runClient(["health", "--ready", ...port])).code).toBe(0);
  }
});
