import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  cleanups,
  failureOf,
  FakeSocket,
  mockServers,
  noise,
  quickRetry,
} from "../../testing/fixtures/client.ts";
import { sha256 } from "../../testing/harness/bytes.ts";
import { deadAddress, startMockServer, startSilentServer } from "../../testing/mocks/servers.ts";
import { bunPlatform } from "../transport/bun.ts";
import type { ClientEvent } from "./options.ts";
import { bytesSource, type AudioSource } from "../audio-source.ts";
import { upload, type UploadOptions } from "./upload.ts";

const cleanup = cleanups();
const mock = mockServers();

function quick(url: string, bytes: Uint8Array<ArrayBuffer>, more: Partial<UploadOptions> = {}) {
  const source = bytesSource(bytes);
  return upload({
    platform: bunPlatform,
    url,
    source,
    retry: quickRetry,
    limits: { answerTimeoutMs: 2_000 },
    ...more,
  });
}

describe("an upload", () => {
  test("arrives whole, in frames of 8192 bytes, the last one shorter", async () => {
    const server = mock();
    const bytes = noise(20_000);
    const result = await quick(server.url, bytes);
    expect(server.frameBytes).toEqual([8192, 8192, 3616]);
    expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
    expect(result).toMatchObject({ sizeBytes: 20_000, acknowledgement: "stopped", reconnects: 0 });
    expect(result.digests).toEqual({ sha256: sha256(bytes) });
  });

  test("ends with a full frame and sends no empty one when the size is a multiple of the chunk", async () => {
    const server = mock();
    await quick(server.url, noise(300), { chunkBytes: 100 });
    expect(server.frameBytes).toEqual([100, 100, 100]);
  });

  test("sends only upper-case types and the stream id to a foreign server", async () => {
    const server = mock();
    const { streamId } = await quick(server.url, noise(10));
    expect(server.texts).toEqual([
      `{"type":"START","streamId":"${streamId}"}`,
      `{"type":"STOP","streamId":"${streamId}"}`,
    ]);
  });

  test("connects to exactly the given address and offers no compression", async () => {
    const server = mock();
    await quick(`ws://127.0.0.1:${server.port}/some/where?key=1`, noise(10));
    expect(server.requests.map((request) => request.path)).toEqual(["/some/where"]);
    expect(server.requests[0]?.headers.get("sec-websocket-extensions")).toBeNull();
  });

  test("skips a greeting and reads spaced JSON, any case, stream_id, nulls and extra keys", async () => {
    const server = mock({ greeting: true, dialect: "foreign", confirms: true });
    const bytes = noise(9_000);
    const result = await quick(server.url, bytes);
    expect(result.acknowledgement).toBe("verified");
    expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
  });

  test("fails at once with the server's message if START is answered with ERROR", async () => {
    const server = mock({ refusal: "Failed to create stream: X (cache is full)" });
    const error = await failureOf(quick(server.url, noise(10)));
    expect(error.code).toBe("REFUSED");
    expect(error.message).toContain("cache is full");
    expect(server.connections).toBe(1);
  });

  test("retries if the server is shutting down", async () => {
    const server = mock({ refusal: "Failed to create stream: X (server is shutting down)" });
    const error = await failureOf(quick(server.url, noise(10), { retry: { ...quickRetry, retries: 2 } }));
    expect(error.code).toBe("BUSY");
    expect(server.connections).toBe(3);
  });

  test("of no bytes succeeds if the server answers STOP of an empty stream with ERROR", async () => {
    const server = mock({ refusesEmpty: true });
    const result = await quick(server.url, noise(0));
    expect(result).toMatchObject({ sizeBytes: 0, acknowledgement: "none" });
    expect(server.frameBytes).toEqual([]);
  });

  test("fails if the server received less than was sent, such as when it drops a small frame that is JSON", async () => {
    const server = mock({ swallowsJson: true, confirms: true });
    const bytes = new TextEncoder().encode('{"type":"NOTE"}');
    const error = await failureOf(quick(server.url, bytes));
    expect(error).toMatchObject({ code: "MISMATCH", detail: "the server got 0 of 15 bytes" });
  });

  test("fails if the server's SHA-256 differs", async () => {
    const server = mock({ confirms: true, wrongSha256: "0".repeat(64) });
    expect((await failureOf(quick(server.url, noise(10)))).code).toBe("MISMATCH");
  });

  test("reports no acknowledgement if a server that cannot resume hangs after STOP", async () => {
    const server = mock({ silentTo: { type: "STOP", times: 1 } });
    const result = await quick(server.url, noise(10), { limits: { answerTimeoutMs: 50 } });
    expect(result.acknowledgement).toBe("none");
    expect(server.connections).toBe(1);
  });

  test("stops sending and fails if an ERROR comes in the middle", async () => {
    const server = mock({ errorAtBytes: { bytes: 1, message: "disk is full" } });
    const endless: AudioSource = { sizeBytes: 2 ** 40, read: (_, length) => new Uint8Array(length) };
    const error = await failureOf(quick(server.url, noise(0), { source: endless, digests: [] }));
    expect(error).toMatchObject({ code: "REFUSED", detail: "disk is full" });
  });

  test("fails with the server's message if the server sends ERROR and closes", async () => {
    const socket = new FakeSocket((socket, data) => {
      if (typeof data === "string") {
        socket.fire("message", { data: '{"type":"STARTED"}' });
        return;
      }
      socket.fire("message", { data: '{"type":"ERROR","message":"disk is full"}' });
      socket.fire("close", { code: 1011, reason: "" });
    });
    const openSocket = () => {
      queueMicrotask(() => socket.fire("open"));
      return socket;
    };
    const error = await failureOf(
      quick("ws://fake/", noise(100_000), { platform: { ...bunPlatform, openSocket } }),
    );
    expect(error).toMatchObject({ code: "REFUSED", detail: "disk is full" });
  });

  test("is not retried if the server closes because a frame is too large", async () => {
    const server = mock({ closesWith: { code: 1009, reason: "Message too big" } });
    const error = await failureOf(quick(server.url, noise(100)));
    expect(error).toMatchObject({ code: "REFUSED", hint: "send smaller frames" });
    expect(server.connections).toBe(1);
  });

  test("fails if the source has shrunk", async () => {
    const server = mock();
    const source: AudioSource = { sizeBytes: 100, read: () => noise(40) };
    expect((await failureOf(quick(server.url, noise(0), { source }))).code).toBe("SOURCE_CHANGED");
  });

  test("refuses chunk sizes and ids that no server accepts", async () => {
    for (const chunkBytes of [0, -1, 1.5, Number.NaN, 2 ** 30]) {
      expect(() => quick("ws://127.0.0.1:1/", noise(1), { chunkBytes })).toThrow("bad argument");
    }
    for (const streamId of ["", "..", "a b", "x".repeat(129)]) {
      expect(() => quick("ws://127.0.0.1:1/", noise(1), { streamId })).toThrow("bad argument");
    }
  });

  test("reports progress up to the full size", async () => {
    const server = mock();
    const seen: number[] = [];
    await quick(server.url, noise(5_000_000), {
      chunkBytes: 65536,
      onProgress: (bytes) => void seen.push(bytes),
    });
    expect(seen.at(-1)).toBe(5_000_000);
    expect(seen.every((bytes) => bytes >= 0 && bytes <= 5_000_000)).toBe(true);
  });
});

describe("a lost connection", () => {
  test("is replaced, and the upload resumes at the server's offset", async () => {
    const server = mock({ resumable: true, confirms: true, cutAfterBytes: [30_000, 1, 50_000] });
    const bytes = noise(200_000);
    const events: ClientEvent[] = [];
    const result = await quick(server.url, bytes, { onEvent: (event) => void events.push(event) });
    expect(result).toMatchObject({ acknowledgement: "verified", reconnects: 3 });
    expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
    const offsets = events.flatMap((event) => (event.type === "resumed" ? [event.offset] : []));
    expect(offsets).toEqual([30_000, 30_001, 80_001]);
    expect(server.texts[1]).toBe(`{"type":"START","streamId":"${result.streamId}","resume":true}`);
  });

  test("restarts the upload under a new id if the server cannot resume", async () => {
    const server = mock({ cutAfterBytes: [30_000, 100] });
    const bytes = noise(100_000);
    const result = await quick(server.url, bytes);
    expect(result.digests.sha256).toBe(sha256(bytes));
    expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
    expect(server.streams.size).toBe(3);
    expect(server.texts.some((text) => text.includes("resume"))).toBe(false);
  });

  test("ends the upload if the server cannot resume and the id is given", async () => {
    const server = mock({ cutAfterBytes: [100] });
    const error = await failureOf(quick(server.url, noise(1000), { streamId: "mine" }));
    expect(error.code).toBe("NOT_RESUMABLE");
    expect(server.bytesOf("mine").length).toBeLessThan(1000);
  });

  test("between STOP and STOPPED is recovered by resuming at the full size", async () => {
    const server = mock({ resumable: true, confirms: true, cutsAt: { type: "STOP", times: 1 } });
    const bytes = noise(10_000);
    const result = await quick(server.url, bytes);
    expect(result).toMatchObject({ acknowledgement: "verified", reconnects: 1 });
    expect(server.frameBytes.length).toBe(2);
  });

  test("is assumed if a resumable server does not answer STOP", async () => {
    const server = mock({ resumable: true, confirms: true, silentTo: { type: "STOP", times: 1 } });
    const result = await quick(server.url, noise(10), { limits: { answerTimeoutMs: 50 } });
    expect(result).toMatchObject({ acknowledgement: "verified", reconnects: 1 });
  });

  test("before STARTED leads to a new id, because the old one may be in use", async () => {
    const server = mock({ cutsAt: { type: "START", times: 2 } });
    await quick(server.url, noise(10));
    const ids = server.texts
      .filter((text) => text.includes("START"))
      .map((text) => JSON.parse(text).streamId);
    expect(new Set(ids).size).toBe(3);
  });

  test("is final after the policy's retries, with the last error", async () => {
    const retries: number[] = [];
    const onEvent = (event: ClientEvent) => void (event.type === "retrying" && retries.push(event.retry));
    const error = await failureOf(quick(deadAddress(), noise(1), { onEvent }));
    expect(error.code).toBe("UNREACHABLE");
    expect(retries).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("does not count as a retry after progress", async () => {
    const server = mock({ resumable: true, cutAfterBytes: Array.from({ length: 40 }, () => 100) });
    const bytes = noise(5_000);
    const result = await quick(server.url, bytes, { retry: { ...quickRetry, retries: 1 } });
    expect(result.reconnects).toBe(40);
    expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
  });

  test("is a connect timeout if the server accepts the connection and sends nothing", async () => {
    const silent = startSilentServer();
    cleanup(silent.stop);
    const limits = { connectTimeoutMs: 30 };
    const error = await failureOf(
      quick(silent.url, noise(1), { limits, retry: { ...quickRetry, retries: 1 } }),
    );
    expect(error.code).toBe("CONNECT_TIMEOUT");
  });
});

describe("resuming an earlier upload", () => {
  test("hashes what the server has and sends only the rest", async () => {
    const server = mock({ resumable: true, compares: true, confirms: true });
    const bytes = noise(50_000);
    server.streams.set("earlier", { chunks: [Buffer.from(bytes.subarray(0, 45_000))], finished: false });
    const result = await quick(server.url, bytes, { streamId: "earlier", resume: true });
    expect(result).toMatchObject({ acknowledgement: "verified", keptBytes: 45_000 });
    expect(server.frameBytes).toEqual([5_000]);
  });

  test.each([
    ["other bytes", 45_000],
    ["more bytes than the source", 50_001],
  ])("sends everything under the same id if the server has %s", async (_what, size) => {
    const server = mock({ resumable: true, compares: true, confirms: true });
    const bytes = noise(50_000);
    server.streams.set("earlier", { chunks: [Buffer.alloc(size)], finished: false });
    const events: string[] = [];
    const result = await quick(server.url, bytes, {
      streamId: "earlier",
      resume: true,
      digests: ["md5"],
      onEvent: ({ type }) => void events.push(type),
    });
    expect(result).toMatchObject({ streamId: "earlier", acknowledgement: "verified", keptBytes: 0 });
    expect(server.bytesOf("earlier").equals(bytes)).toBe(true);
    expect(events).toContain("startedOver");
  });

  test("never continues bytes that the server does not tell the digest of", async () => {
    const server = mock({ resumable: true, confirms: true });
    const bytes = noise(50_000);
    server.streams.set("earlier", { chunks: [Buffer.from(bytes.subarray(0, 45_000))], finished: false });
    const error = await failureOf(quick(server.url, bytes, { streamId: "earlier", resume: true }));
    expect(error.code).toBe("PREFIX_UNKNOWN");
    expect(server.frameBytes).toEqual([]);
  });

  test("sends everything again if the source changes between two connections", async () => {
    const server = mock({ resumable: true, compares: true, confirms: true, cutAfterBytes: [200_000] });
    const [before, after] = [noise(400_000), noise(400_000).map((byte) => byte ^ 1)];
    const source: AudioSource = {
      sizeBytes: before.length,
      read: (offset, length) => (server.connections > 1 ? after : before).subarray(offset, offset + length),
    };
    const result = await quick(server.url, before, { source });
    expect(result.acknowledgement).toBe("verified");
    expect(server.bytesOf(result.streamId).equals(after)).toBe(true);
  });

  test("ends an upload whose source was written to while it was read", async () => {
    const server = mock({ resumable: true, compares: true, confirms: true });
    const bytes = noise(600_000);
    const read = (offset: number, length: number) => {
      const block = bytes.slice(offset, offset + length);
      bytes[0]! += 1;
      return block;
    };
    const source: AudioSource = { sizeBytes: bytes.length, read, isTouched: async () => true };
    const error = await failureOf(quick(server.url, bytes, { source, streamId: "torn" }));
    expect(error.code).toBe("SOURCE_CHANGED");
    expect(server.streams.get("torn")?.finished).toBe(false);
  });

  test("sends nothing to a server that cannot resume and would append", async () => {
    const server = mock();
    server.streams.set("earlier", { chunks: [Buffer.alloc(100)], finished: false });
    const error = await failureOf(quick(server.url, noise(200), { streamId: "earlier", resume: true }));
    expect(error.code).toBe("NOT_RESUMABLE");
    expect(server.frameBytes).toEqual([]);
  });
});

describe("an abort", () => {
  test("ends an upload that is sending, with the signal's reason", async () => {
    const server = mock();
    const controller = new AbortController();
    const source: AudioSource = {
      sizeBytes: 2 ** 40,
      read: (offset, length) => {
        if (offset > 10_000_000) controller.abort(new Error("enough"));
        return new Uint8Array(length);
      },
    };
    const promise = quick(server.url, noise(0), { source, digests: [], signal: controller.signal });
    expect(promise).rejects.toThrow("enough");
    await promise.catch(() => undefined);
  });

  test("ends the wait before a retry", async () => {
    const controller = new AbortController();
    const promise = quick(deadAddress(), noise(1), {
      signal: controller.signal,
      retry: { firstDelayMs: 60_000, maxDelayMs: 60_000 },
      onEvent: (event) => void (event.type === "retrying" && controller.abort(new Error("enough"))),
    });
    expect(promise).rejects.toThrow("enough");
    await promise.catch(() => undefined);
  });
});

test("any source in any frames over any cuts gives identical bytes and digest", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 40_000 }),
      fc.integer({ min: 1, max: 9_000 }),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 4 }),
      fc.boolean(),
      async (size, chunkBytes, cutAfterBytes, resumable) => {
        const server = startMockServer({ resumable, confirms: true, cutAfterBytes });
        try {
          const bytes = noise(size);
          const result = await quick(server.url, bytes, { chunkBytes: Math.max(chunkBytes, size >> 10) });
          expect(result.acknowledgement).toBe("verified");
          expect(result.digests.sha256).toBe(sha256(bytes));
          expect(server.bytesOf(result.streamId).equals(bytes)).toBe(true);
        } finally {
          await server.stop();
        }
      },
    ),
    { numRuns: 60 },
  );
});
