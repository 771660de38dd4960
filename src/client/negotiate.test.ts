import { describe, expect, test } from "bun:test";
import { cleanups, failureOf, mockServers, noise, quickRetry } from "../testing/fixtures/client.ts";
import { deadAddress, startSilentServer } from "../testing/mocks/servers.ts";
import { MockV1Server, type V1Behaviour } from "../testing/mocks/v1-server.ts";
import { helloTimeoutMs } from "./limits.ts";
import { bunPlatform } from "./transport/bun.ts";
import { type Agreement, negotiate, type ProtocolChoice } from "./negotiate.ts";
import { bytesSource } from "./audio-source.ts";
import { upload } from "./legacy/upload.ts";

const cleanup = cleanups();
const mock = mockServers();

function streamServer(behaviour: V1Behaviour = {}): MockV1Server {
  const server = new MockV1Server(behaviour);
  cleanup(() => server.stop());
  return server;
}

async function agree(url: string, choice: ProtocolChoice = "auto", retries = 0): Promise<Agreement> {
  const agreement = await negotiate(choice, url, {
    platform: bunPlatform,
    retry: { ...quickRetry, retries },
    limits: { connectTimeoutMs: 100 },
  });
  cleanup(() => (agreement.protocol === "v1" ? agreement.client.close() : agreement.connection?.close()));
  return agreement;
}

describe("auto", () => {
  test("chooses v1 if the server sends HELLO, and uses that connection", async () => {
    const server = streamServer();
    const agreement = await agree(server.url);
    if (agreement.protocol !== "v1") throw new Error("not v1");
    const { client } = agreement;
    expect(await client.upload(bytesSource(noise(1000)))).toMatchObject({ verified: true });
    expect(server.connections).toBe(1);
  });

  test("connects again without the offer if the handshake fails, and uses that connection", async () => {
    const server = mock({ confirms: true });
    const agreement = await agree(server.url);
    if (agreement.protocol !== "legacy" || agreement.connection === undefined) throw new Error("not legacy");
    expect(server.requests.map(({ headers }) => headers.get("Sec-WebSocket-Protocol"))).toEqual([
      "none.wavecache, wavecache.v1",
      null,
    ]);
    const source = bytesSource(noise(20_000));
    const openConnections = [agreement.connection];
    const result = await upload({ platform: bunPlatform, url: server.url, source, openConnections });
    expect(result.acknowledgement).toBe("verified");
    expect(server.connections).toBe(1);
  });

  test("sends nothing to a server that agrees to any offer, and chooses legacy", async () => {
    for (const greeting of [false, true]) {
      const server = mock({ echoesProtocol: true, greeting });
      const startMs = performance.now();
      const agreement = await agree(server.url);
      expect(agreement.protocol).toBe("legacy");
      // It does not wait for a HELLO.
      expect(performance.now() - startMs).toBeLessThan(helloTimeoutMs);
      expect({ texts: server.texts, frames: server.frameBytes }).toEqual({ texts: [], frames: [] });
    }
  });

  test("retries while no server answers, and fails with the reason", async () => {
    expect((await failureOf(agree(deadAddress(), "auto", 2))).code).toBe("UNREACHABLE");
    const silent = startSilentServer();
    cleanup(silent.stop);
    expect((await failureOf(agree(silent.url))).code).toBe("CONNECT_TIMEOUT");
    expect((await failureOf(agree("http://x"))).code).toBe("BAD_URL");
  });
});

test("v1 fails if the server speaks the older protocol", async () => {
  expect((await failureOf(agree(mock().url, "v1"))).code).toBe("REFUSED");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => {
      request.headers.delete("Sec-WebSocket-Protocol");
      return server.upgrade(request) ? undefined : new Response("no");
    },
    websocket: { message: () => undefined },
  });
  cleanup(() => server.stop(true));
  expect((await failureOf(agree(`ws://127.0.0.1:${server.port}/`, "v1", 50))).code).toBe("OTHER_PROTOCOL");
  expect((await agree(`ws://127.0.0.1:${server.port}/`)).protocol).toBe("legacy");
});

test("legacy does not connect", async () => {
  expect(await agree(deadAddress(), "legacy")).toEqual({ protocol: "legacy", connection: undefined });
});
