import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { failureOf, mockServers, noise, quickRetry } from "../../testing/fixtures/client.ts";
import { sha256 } from "../../testing/harness/bytes.ts";
import {
  type MockBehaviour,
  type MockServer,
  startBrokenTextServer,
  startMockServer,
} from "../../testing/mocks/servers.ts";
import { connect } from "../transport/connection.ts";
import { bunPlatform } from "../transport/bun.ts";
import { download, type DownloadOptions } from "./download.ts";

const start = mockServers();

/** A mock server that holds these bytes as the stream "song". */
function serving(bytes: Uint8Array, behaviour: MockBehaviour = {}): MockServer {
  const server = start(behaviour);
  hold(server, bytes);
  return server;
}

function hold(server: MockServer, bytes: Uint8Array): void {
  server.streams.set("song", { chunks: [Buffer.from(bytes)], finished: true });
}

async function quick(url: string, more: Partial<DownloadOptions> = {}) {
  const parts: Uint8Array[] = [];
  const result = await download({
    platform: bunPlatform,
    url,
    streamId: "song",
    sink: { write: (bytes) => void parts.push(bytes) },
    retry: quickRetry,
    limits: { answerTimeoutMs: 2_000, endIdleMs: 50 },
    ...more,
  });
  return { ...result, bytes: Buffer.concat(parts) };
}

describe("a download of known size", () => {
  test("pipelines its GETs up to the window, and ends at the size", async () => {
    const bytes = noise(100_000);
    const server = serving(bytes, { getDelayMs: 5 });
    const result = await quick(server.url, { sizeBytes: 100_000, getBytes: 1_000, windowGets: 16 });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result).toMatchObject({ sizeBytes: 100_000, ending: "size", digests: { sha256: sha256(bytes) } });
    expect(server.openGets).toBe(16);
    expect(server.texts.length).toBe(100);
  });

  test("requests no byte past the end", async () => {
    const server = serving(noise(250));
    await quick(server.url, { sizeBytes: 250, getBytes: 100 });
    expect(server.texts.at(-1)).toBe('{"type":"GET","streamId":"song","offset":200,"length":50}');
  });

  test("requests again what a short answer left out", async () => {
    const bytes = noise(10_000);
    const server = serving(bytes, { answerBytes: (length) => Math.ceil(length / 3) });
    const result = await quick(server.url, { sizeBytes: 10_000, getBytes: 1_000, windowGets: 4 });
    expect(result.bytes.equals(bytes)).toBe(true);
  });

  test("of no bytes needs no connection", async () => {
    const server = start();
    const result = await quick(server.url, { sizeBytes: 0 });
    expect(result).toMatchObject({ sizeBytes: 0, ending: "size", digests: { sha256: sha256(noise(0)) } });
    expect(server.connections).toBe(0);
  });

  test("fails if the server has less", async () => {
    for (const end of ["empty", "error"] as const) {
      const server = serving(noise(900), { end });
      const error = await failureOf(quick(server.url, { sizeBytes: 1_000, getBytes: 100 }));
      expect(error.code).toBe(end === "empty" ? "INCOMPLETE" : "REFUSED");
    }
  });

  test("fails if the SHA-256 is not the expected one", async () => {
    const server = serving(noise(10));
    const error = await failureOf(quick(server.url, { sizeBytes: 10, sha256: "0".repeat(64) }));
    expect(error.code).toBe("MISMATCH");
  });

  test("waits for a slow sink, and keeps the order", async () => {
    const bytes = noise(5_000);
    const server = serving(bytes);
    const parts: Uint8Array[] = [];
    const sink = {
      write: async (part: Uint8Array) => {
        await new Promise((resolve) => setImmediate(resolve));
        parts.push(part);
      },
    };
    await quick(server.url, { sizeBytes: 5_000, getBytes: 100, sink });
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  });

  test("fails with what the sink throws", async () => {
    const server = serving(noise(100));
    const sink = {
      write: () => {
        throw new RangeError("no room");
      },
    };
    const promise = quick(server.url, { sizeBytes: 100, sink });
    expect(promise).rejects.toThrow("no room");
    await promise.catch(() => undefined);
  });

  test("reconnects if a GET is not answered", async () => {
    const bytes = noise(1_000);
    const server = serving(bytes, { silentTo: { type: "GET", times: 1 } });
    const more = { sizeBytes: 1_000, limits: { answerTimeoutMs: 50 } };
    const result = await quick(server.url, more);
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.reconnects).toBe(1);
  });
});

describe("a download of unknown size", () => {
  test("has one GET in flight at a time and ends with a short frame", async () => {
    const bytes = noise(1_050);
    const server = serving(bytes, { getDelayMs: 1 });
    const result = await quick(server.url, { getBytes: 100 });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.ending).toBe("short");
    expect(server.openGets).toBe(1);
  });

  for (const [end, ending] of [
    ["empty", "empty"],
    ["error", "error"],
    ["nothing", "timeout"],
  ] as const) {
    test(`of a multiple of the GET's length ends with ${end === "error" ? "an ERROR" : end}`, async () => {
      const bytes = noise(1_000);
      const server = serving(bytes, { end });
      const result = await quick(server.url, { getBytes: 100 });
      expect(result.bytes.equals(bytes)).toBe(true);
      expect(result.ending).toBe(ending);
    });
  }

  test("ends with any ERROR that comes after data", async () => {
    const bytes = noise(1_000);
    const server = serving(bytes, { end: "error", endMessage: "offset out of range" });
    const result = await quick(server.url, { getBytes: 100 });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.ending).toBe("error");
  });

  test("is empty if the first answer is empty or says that there is no data", async () => {
    for (const end of ["empty", "error"] as const) {
      const server = serving(noise(0), { end });
      expect(await quick(server.url)).toMatchObject({ sizeBytes: 0, ending: end });
    }
  });

  test("fails if the stream is unknown, or nothing arrives", async () => {
    const error = await failureOf(quick(start().url));
    expect(error).toMatchObject({ code: "REFUSED", detail: "Failed to read from stream: song" });
    const silent = serving(noise(0), { end: "nothing" });
    const limits = { answerTimeoutMs: 30 };
    const retry = { ...quickRetry, retries: 1 };
    expect((await failureOf(quick(silent.url, { limits, retry }))).code).toBe("ANSWER_TIMEOUT");
  });

  test("does not mistake a stream lost after a reconnection for its end", async () => {
    const server = serving(noise(1_000), { cutAfterBytes: [500] });
    const onEvent = () => void (server.connections > 0 && server.streams.clear());
    const promise = quick(server.url, {
      getBytes: 100,
      onEvent: (event) => void (event.type === "retrying" && onEvent()),
    });
    expect((await failureOf(promise)).code).toBe("REFUSED");
  });
});

describe("data in text frames", () => {
  const text = `{"type":"STARTED"}${"Grüße, ".repeat(200)}`;
  const bytes = new TextEncoder().encode(text);

  test("is data while a GET is in flight, even if it looks like a control message", async () => {
    const server = serving(bytes, { textData: true });
    const result = await quick(server.url, { sizeBytes: bytes.length, getBytes: 18, windowGets: 1 });
    expect(result.bytes.subarray(0, 18).toString()).toBe('{"type":"STARTED"}');
  });

  test("arrives whole in one answer, and the greeting before it is no data", async () => {
    for (const sizeBytes of [undefined, bytes.length]) {
      const server = serving(bytes, { textData: true, greeting: true });
      const result = await quick(server.url, { sizeBytes });
      expect(result.bytes.equals(bytes)).toBe(true);
    }
  });
});

describe("text before the first answer", () => {
  const hello = "Welcome to AudioServer 1.0";

  test("is no audio if the answers are binary, on every connection of the download", async () => {
    const bytes = noise(10_000);
    for (const sizeBytes of [undefined, bytes.length]) {
      const server = serving(bytes, { hello, cutAfterBytes: [4_000, 3_000] });
      const result = await quick(server.url, { sizeBytes, getBytes: 500, windowGets: 4 });
      expect(result.bytes.equals(bytes)).toBe(true);
      expect(result.reconnects).toBe(2);
    }
  });

  test("is no audio if it comes before the first GET", async () => {
    const bytes = noise(1_000);
    const server = serving(bytes);
    const connection = await connect(bunPlatform, server.url);
    server.say(hello);
    await connection.peek(performance.now() + 2_000);
    const result = await quick(server.url, { openConnections: [connection], sizeBytes: bytes.length });
    expect(result.bytes.equals(bytes)).toBe(true);
  });
});

describe("audio in text frames that are not UTF-8", () => {
  const zeros = new Uint8Array(1_000);
  const bytes = new Uint8Array(Buffer.concat([zeros, noise(9_000), zeros]));

  test("arrives whole, also after lost connections and a greeting", async () => {
    for (const sizeBytes of [undefined, bytes.length]) {
      const server = startBrokenTextServer(bytes, 4_000, '{"type":"CONNECTED"}');
      const result = await quick(server.url, { sizeBytes, getBytes: 500, windowGets: 4 });
      server.stop();
      expect(result.bytes.equals(bytes)).toBe(true);
      expect(result.digests.sha256).toBe(sha256(bytes));
    }
  });

  test("ends the download at once on a platform that cannot read it, and the error names the cause", async () => {
    const server = startBrokenTextServer(bytes);
    const { openSocket, newDigest } = bunPlatform;
    const error = await failureOf(quick(server.url, { platform: { openSocket, newDigest } }));
    server.stop();
    expect(error.code).toBe("TEXT_NOT_UTF8");
    expect(server.connections()).toBe(1);
  });
});

describe("a foreign server", () => {
  test("may send a greeting and spell its ERROR differently", async () => {
    const bytes = noise(300);
    const server = serving(bytes, { greeting: true, dialect: "foreign", end: "error" });
    const result = await quick(server.url, { getBytes: 100 });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.ending).toBe("error");
  });

  test("receives an upper-case GET with id, offset and length, without null, in a short message", async () => {
    const streamId = "🎵".repeat(60);
    const server = start();
    server.streams.set(streamId, { chunks: [Buffer.from("abc")], finished: true });
    await quick(server.url, { streamId });
    expect(server.texts).toEqual([`{"type":"GET","streamId":"${streamId}","offset":0,"length":65536}`]);
    for (const bad of ["", "🎵".repeat(300)]) {
      expect((await failureOf(quick(server.url, { streamId: bad }))).code).toBe("BAD_ARGUMENT");
    }
  });
});

describe("a lost connection", () => {
  test("is replaced, and the download resumes at its offset", async () => {
    const bytes = noise(10_000);
    const server = serving(bytes, { cutAfterBytes: [3_000, 2_500] });
    const result = await quick(server.url, { sizeBytes: 10_000, getBytes: 500, windowGets: 3 });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.reconnects).toBe(2);
    expect(server.texts).toContain('{"type":"GET","streamId":"song","offset":2500,"length":500}');
  });

  test("does not count as a retry after progress", async () => {
    const bytes = noise(3_000);
    const server = serving(bytes, { cutAfterBytes: Array.from({ length: 20 }, () => 150) });
    const retry = { ...quickRetry, retries: 1 };
    const result = await quick(server.url, { sizeBytes: 3_000, getBytes: 100, retry });
    expect(result.bytes.equals(bytes)).toBe(true);
    expect(result.reconnects).toBe(20);
  });
});

test("an abort ends a download with the signal's reason", async () => {
  const server = serving(noise(100_000));
  const controller = new AbortController();
  const sink = { write: () => controller.abort(new Error("enough")) };
  const promise = quick(server.url, { sizeBytes: 100_000, getBytes: 100, sink, signal: controller.signal });
  expect(promise).rejects.toThrow("enough");
  await promise.catch(() => undefined);
});

test("any size, GET length, window, answers and cuts give identical bytes and digest", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 200, max: 5_000 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 4 }),
      async (size, getBytes, windowGets, shares, cutAfterBytes) => {
        let answers = 0;
        const share = () => shares[answers++ % shares.length] ?? 1;
        const answerBytes = (length: number) => Math.max(1, Math.round(length * share()));
        const server = startMockServer({ answerBytes, cutAfterBytes });
        try {
          const bytes = noise(size);
          hold(server, bytes);
          const result = await quick(server.url, { sizeBytes: size, getBytes, windowGets });
          expect(result.bytes.equals(bytes)).toBe(true);
          expect(result.digests.sha256).toBe(sha256(bytes));
        } finally {
          await server.stop();
        }
      },
    ),
    { numRuns: 60 },
  );
});
