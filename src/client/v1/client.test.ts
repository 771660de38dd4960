import { describe, expect, test } from "bun:test";
import { cleanups, failureOf, noise, quickRetry } from "../../testing/fixtures/client.ts";
import { Random, seeded, sha256 } from "../../testing/harness/bytes.ts";
import { until, within } from "../../testing/harness/until.ts";
import { MockV1Server, type V1Behaviour } from "../../testing/mocks/v1-server.ts";
import { type AudioSource, bytesSource } from "../audio-source.ts";
import { connect } from "./bun.ts";
import type { Client, ConnectOptions } from "./client.ts";
import type { ConnectionEvent } from "./link/reconnector.ts";
import type { StreamReader } from "./read/stream-reader.ts";
import type { StreamWriter } from "./write/stream-writer.ts";

const cleanup = cleanups();

/** The mock's initial credit of a channel. */
const serverCredit = 65_536;

function mock(behaviour: V1Behaviour = {}): MockV1Server {
  const server = new MockV1Server(behaviour);
  cleanup(() => server.stop());
  return server;
}

async function open(server: MockV1Server, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(server.url, { retry: quickRetry, ...options });
  cleanup(() => client.close());
  return client;
}

async function bytesOf(reader: StreamReader): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reader) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function writeAll(streamWriter: StreamWriter, pieces: Uint8Array[]): Promise<void> {
  const writer = streamWriter.writable.getWriter();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
}

describe("a stream", () => {
  test("is written as a WritableStream and read back as a ReadableStream", async () => {
    const server = mock();
    const client = await open(server);
    const bytes = noise(3_000_000);
    const metadata = { contentType: "audio/wav", tags: { title: "é" } };
    const streamWriter = client.openWrite({ id: "song", metadata });
    await writeAll(streamWriter, new Random(1).pieces(bytes, 200_000));
    const receipt = await streamWriter.receipt;
    expect(receipt).toMatchObject({ id: "song", size: bytes.length, sha256: sha256(bytes), verified: true });
    expect(streamWriter.progress).toEqual({ written: bytes.length, durable: bytes.length });
    const reader = client.openRead("song");
    expect(Buffer.from(await new Response(reader.readable).arrayBuffer()).equals(bytes)).toBe(true);
    expect(await reader.result).toMatchObject({
      outcome: "finished",
      verified: true,
      received: bytes.length,
    });
    expect((await reader.opened).metadata).toMatchObject(metadata);
  });

  test("may be empty", async () => {
    const client = await open(mock());
    expect(await client.upload(bytesSource(new Uint8Array(0)), { id: "none" })).toMatchObject({
      size: 0,
      verified: true,
    });
    const reader = client.openRead("none");
    expect(await bytesOf(reader)).toHaveLength(0);
    expect(await reader.result).toMatchObject({ verified: true });
  });

  test("can be read by range", async () => {
    const server = mock();
    const bytes = noise(500_000);
    server.put("song", bytes);
    const client = await open(server);
    const reader = client.openRead("song", { offset: 100_001, length: 200_000 });
    expect((await bytesOf(reader)).equals(bytes.subarray(100_001, 300_001))).toBe(true);
    expect(await reader.result).toMatchObject({ verified: false, size: 500_000 });
  });

  test("gets a unique id if none is given", async () => {
    const client = await open(mock());
    const ids = [client.openWrite().id, client.openWrite().id];
    expect(ids[0]).toMatch(/^stream-\d+-[0-9a-f]{16}$/);
    expect(ids[0]).not.toBe(ids[1]!);
  });
});

describe("queries", () => {
  test("list pages of streams, show one, remove one", async () => {
    const server = mock();
    for (const id of ["a", "b", "c"]) server.put(id, noise(10));
    const client = await open(server);
    const first = await client.list({ limit: 2 });
    expect(first.streams.map(({ streamId }) => streamId)).toEqual(["a", "b"]);
    const second = await client.list({ after: first.next });
    expect(second).toMatchObject({ streams: [{ streamId: "c", size: 10 }], next: undefined });
    expect(await client.info("b")).toMatchObject({ state: "finished", sha256: sha256(noise(10)) });
    expect([await client.remove("b"), await client.remove("b")]).toEqual([true, false]);
    expect(await client.info("b")).toBeUndefined();
  });

  test("are sent again when the answer is lost", async () => {
    const server = mock({ cutsAt: { type: "REMOVE", times: 1 } });
    server.put("a", noise(10));
    const client = await open(server);
    expect(await client.remove("a")).toBe(true);
    expect(server.connections).toBe(2);
  });
});

describe("a lost connection", () => {
  test("is replaced, and uploads resume at the durable offset", async () => {
    const server = mock({ lagBytes: 150_000, cutAfterBytes: [300_000, 250_000, 5_000_000] });
    const events: ConnectionEvent[] = [];
    const client = await open(server, { onEvent: (event) => events.push(event) });
    const bytes = noise(2_000_000);
    const offsets: number[] = [];
    const onOpen = (offset: number) => {
      offsets.push(offset);
      // The second loss also loses what was not durable.
      if (offsets.length === 2) setTimeout(() => server.cut(true), 1);
    };
    const receipt = await client.upload(bytesSource(bytes), { id: "song", onOpen });
    expect(receipt.verified).toBe(true);
    expect(server.streams.get("song")?.bytes.equals(bytes)).toBe(true);
    expect(offsets.length).toBeGreaterThanOrEqual(3);
    expect(events.filter(({ type }) => type === "lost").length).toBe(offsets.length - 1);
  });

  test("makes a writer send again what was not durable", async () => {
    const server = mock({ lagBytes: 400_000 });
    const client = await open(server);
    const bytes = noise(3_000_000);
    const streamWriter = client.openWrite({ id: "song" });
    const writer = streamWriter.writable.getWriter();
    let pieces = 0;
    for (const piece of new Random(2).pieces(bytes, 100_000)) {
      await writer.write(piece);
      if (++pieces % 10 === 0) {
        await until("something is durable", 5_000, () => streamWriter.progress.durable > 0);
        const { connections } = server;
        server.cut(true);
        await until("it is back", 5_000, () => server.connections > connections);
      }
    }
    await writer.close();
    expect((await streamWriter.receipt).verified).toBe(true);
    expect(server.streams.get("song")?.bytes.equals(bytes)).toBe(true);
    expect(server.connections).toBeGreaterThan(3);
  });

  test("at any message costs one reconnection and no audio", async () => {
    const bytes = noise(400_000);
    for (const type of ["WRITE", "FINISH", "READ", "CREDIT", "LIST", "INFO"] as const) {
      const server = mock({ cutsAt: { type, times: 2 } });
      const client = await open(server);
      expect((await client.upload(bytesSource(bytes), { id: "song" })).verified).toBe(true);
      const reader = client.openRead("song");
      expect((await bytesOf(reader)).equals(bytes)).toBe(true);
      expect((await reader.result).verified).toBe(true);
      expect((await client.list()).streams).toHaveLength(1);
      expect(await client.info("song")).toBeDefined();
      expect({ type, connections: server.connections }).toEqual({ type, connections: 3 });
    }
  });

  test("is given up after the allowed attempts, and tried again for the next call", async () => {
    const server = mock();
    server.put("a", noise(10));
    const client = await open(server, { retry: { ...quickRetry, retries: 2 } });
    await server.stop();
    const events = await failureOf(client.info("a"));
    expect(events.code).toBe("UNREACHABLE");
    expect((await failureOf(client.info("a"))).code).toBe("UNREACHABLE");
  });

  test(
    "40 times at random moments leaves 32 concurrent streams identical",
    seeded(async (random) => {
      const server = mock({ lagBytes: 40_000, pieceBytes: 20_000 });
      // The attempts of about a minute with the default delays.
      const client = await open(server, { retry: { ...quickRetry, retries: 200 } });
      const files = Array.from({ length: 32 }, (_, i) => random.bytes(random.int(150_000, 250_000) + i));
      const state = { cuts: 0, isOver: false };
      const cutting = (async () => {
        while (!state.isOver && state.cuts < 40) {
          const { connections } = server;
          await Bun.sleep(random.int(1, 15));
          state.cuts += 1;
          server.cut(random.chance(50));
          await until("it is back", 10_000, () => state.isOver || server.connections > connections);
        }
      })();
      const rounds = async (file: Uint8Array, index: number) => {
        for (let round = 0; state.cuts < 40 || round === 0; round += 1) {
          const id = `song-${index}-${round}`;
          const pieces = random.pieces(file, 60_000);
          const streamWriter = client.openWrite({ id });
          await writeAll(streamWriter, pieces);
          expect((await streamWriter.receipt).sha256).toBe(sha256(file));
          const reader = client.openRead(id);
          expect((await bytesOf(reader)).equals(file)).toBe(true);
          expect((await reader.result).verified).toBe(true);
        }
      };
      await Promise.all(files.map(rounds)).finally(() => (state.isOver = true));
      await cutting;
      expect(state.cuts).toBe(40);
      for (const [id, { bytes }] of server.streams) {
        expect(bytes.equals(files[Number(id.split("-")[1])]!)).toBe(true);
      }
    }),
    60_000,
  );
});

describe("a reader", () => {
  test("that does not read blocks no other, and gets no more than a window", async () => {
    const server = mock();
    const bytes = noise(4_000_000);
    server.put("big", bytes);
    const client = await open(server);
    let received = 0;
    const idle = client.openRead("big", { onProgress: (bytes) => (received = bytes) });
    await idle.opened;
    for (let i = 0; i < 8; i += 1) expect((await bytesOf(client.openRead("big"))).equals(bytes)).toBe(true);
    expect(received).toBeLessThanOrEqual(2 * 1024 * 1024);
    // Reconnections grant it no further window.
    for (let i = 0; i < 5; i += 1) {
      server.cut();
      // Another read to its end gives the idle one time to ask for more.
      await bytesOf(client.openRead("big"));
    }
    expect(received).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect((await bytesOf(idle)).equals(bytes)).toBe(true);
  });

  test("that stops early cancels the stream", async () => {
    const server = mock();
    server.put("big", noise(4_000_000));
    const client = await open(server);
    const reader = client.openRead("big");
    for await (const piece of reader) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(await reader.result).toMatchObject({ outcome: "cancelled" });
    await until("CLOSE", 5_000, () => server.messages.includes("CLOSE"));
    const other = client.openRead("big");
    await other.readable.cancel();
    expect(await other.result).toMatchObject({ outcome: "cancelled" });
  });

  test("reads damaged audio again", async () => {
    const server = mock({ damages: 2 });
    const bytes = noise(300_000);
    server.put("song", bytes);
    const reader = (await open(server)).openRead("song");
    expect((await bytesOf(reader)).equals(bytes)).toBe(true);
    expect((await reader.result).verified).toBe(true);
  });

  test("asks for the stream's state when only the END was lost", async () => {
    const server = mock({ losesEnds: 2 });
    const bytes = noise(300_000);
    server.put("song", bytes);
    server.put("half", bytes, false);
    const client = await open(server);
    for (const [id, verified] of [
      ["song", true],
      ["half", false],
    ] as const) {
      const reader = client.openRead(id);
      expect((await bytesOf(reader)).equals(bytes)).toBe(true);
      expect(await reader.result).toMatchObject({ verified, size: bytes.length });
    }
    expect(server.messages.filter((type) => type === "INFO")).toHaveLength(2);
  });

  test("fails if the SHA-256 is not the server's", async () => {
    const server = mock({ wrongSha256: "00".repeat(32) });
    server.put("song", noise(1000));
    const client = await open(server);
    expect((await failureOf(bytesOf(client.openRead("song")))).code).toBe("MISMATCH");
    expect((await failureOf(client.upload(bytesSource(noise(10))))).code).toBe("MISMATCH");
  });

  test("fails with the server's code if the stream does not exist", async () => {
    const client = await open(mock());
    const error = await failureOf(bytesOf(client.openRead("none")));
    expect(error).toMatchObject({ code: "REFUSED", serverCode: "STREAM_UNKNOWN" });
  });

  test("follows a stream to its end across lost connections", async () => {
    const server = mock();
    const bytes = noise(1_000_000);
    server.put("live", bytes.subarray(0, 300_000), false);
    const client = await open(server);
    const reader = client.follow("live");
    const all = bytesOf(reader);
    for (let at = 300_000; at < bytes.length; at += 100_000) {
      await until("it follows", 5_000, () => server.messages.filter((type) => type === "FOLLOW").length > 0);
      server.grow("live", bytes.subarray(at, at + 100_000));
      if (at % 200_000 === 0) server.cut();
    }
    server.finish("live");
    expect((await within("the end", 10_000, all)).equals(bytes)).toBe(true);
    expect((await reader.result).verified).toBe(true);
  });
});

describe("a writer", () => {
  test("waits for credit, and blocks no other meanwhile", async () => {
    const server = mock({ stingyTo: new Set(["slow"]) });
    const client = await open(server);
    const bytes = noise(1_000_000);
    const slow = client.openWrite({ id: "slow" });
    const writer = slow.writable.getWriter();
    void writer.write(bytes);
    await until("its credit is used", 5_000, () => server.streams.get("slow")?.bytes.length === serverCredit);
    expect((await client.upload(bytesSource(bytes), { id: "fast" })).verified).toBe(true);
    expect(server.streams.get("slow")?.bytes.length).toBe(serverCredit);
    void slow.receipt.catch(() => undefined);
    slow.discard();
    await until("it is removed", 5_000, () => !server.streams.has("slow"));
  });

  test("sends again what arrived damaged", async () => {
    const server = mock({ refusesChecksums: 3 });
    const bytes = noise(500_000);
    const client = await open(server);
    expect((await client.upload(bytesSource(bytes), { id: "song" })).verified).toBe(true);
    expect(server.connections).toBe(1);
  });

  test("does not write to another stream of the same id", async () => {
    const server = mock();
    server.put("taken", noise(10), false);
    const client = await open(server);
    const error = await failureOf(client.upload(bytesSource(noise(20)), { id: "taken" }));
    expect(error).toMatchObject({ code: "REFUSED", serverCode: "STREAM_EXISTS" });
  });

  test("resumes the unfinished stream of an earlier program, and verifies the whole", async () => {
    const server = mock();
    const bytes = noise(500_000);
    server.put("half", bytes.subarray(0, 200_000), false);
    server.put("whole", bytes);
    server.put("other", noise(500_001));
    const client = await open(server);
    for (const id of ["half", "whole", "new"]) {
      expect(await client.upload(bytesSource(bytes), { id, resume: true })).toMatchObject({ verified: true });
    }
    const error = await failureOf(client.upload(bytesSource(bytes), { id: "other", resume: true }));
    expect(error.serverCode).toBe("STREAM_EXISTS");
  });

  test.each([
    ["other bytes", 200_000],
    ["more bytes than the source", 500_001],
  ])("sends everything under the same id if the server has %s", async (_what, size) => {
    const server = mock();
    const bytes = noise(500_000);
    server.put("half", new Uint8Array(size), false);
    const client = await open(server);
    let restarts = 0;
    const receipt = await client.upload(bytesSource(bytes), {
      id: "half",
      resume: true,
      digests: [],
      onRestart: () => void (restarts += 1),
    });
    expect(receipt).toMatchObject({ id: "half", verified: true });
    expect(restarts).toBe(1);
    expect(server.streams.get("half")?.bytes.equals(bytes)).toBe(true);
  });

  test("replaces no finished stream that has other bytes of the same length", async () => {
    const server = mock();
    server.put("done", new Uint8Array(500_000));
    const client = await open(server);
    const uploading = client.upload(bytesSource(noise(500_000)), { id: "done", resume: true });
    expect(await failureOf(uploading)).toMatchObject({ code: "REFUSED", serverCode: "STREAM_EXISTS" });
  });

  test("never continues bytes that the server does not tell the digest of", async () => {
    const server = mock({ revision: 1 });
    const bytes = noise(500_000);
    server.put("half", bytes.subarray(0, 200_000), false);
    const client = await open(server);
    const error = await failureOf(client.upload(bytesSource(bytes), { id: "half", resume: true }));
    expect(error.code).toBe("PREFIX_UNKNOWN");
    expect(await client.upload(bytesSource(bytes), { id: "new" })).toMatchObject({ verified: true });
  });

  test("sends everything again if the source changes between two connections", async () => {
    const server = mock({ cutAfterBytes: [300_000] });
    const [before, after] = [noise(500_000), noise(500_000).map((byte) => byte ^ 1)];
    const source: AudioSource = {
      sizeBytes: before.length,
      read: (offset, length) => (server.connections > 1 ? after : before).subarray(offset, offset + length),
    };
    const client = await open(server);
    const { id, verified } = await client.upload(source);
    expect(verified).toBe(true);
    expect(server.streams.get(id)?.bytes.equals(after)).toBe(true);
  });

  test("ends an upload whose source was written to while it was read", async () => {
    const server = mock();
    const bytes = noise(900_000);
    const read = (offset: number, length: number) => {
      const block = bytes.slice(offset, offset + length);
      bytes[0]! += 1;
      return block;
    };
    const client = await open(server);
    const source: AudioSource = { sizeBytes: bytes.length, read, isTouched: async () => true };
    expect((await failureOf(client.upload(source, { id: "torn" }))).code).toBe("SOURCE_CHANGED");
    expect(server.streams.get("torn")?.finished).toBe(false);
  });

  test("resumes at an offset if only the rest is available", async () => {
    const server = mock();
    const bytes = noise(500_000);
    server.put("half", bytes.subarray(0, 200_000), false);
    const client = await open(server);
    const streamWriter = client.openWrite({ id: "half", resume: true, offset: 200_000 });
    await writeAll(streamWriter, [bytes.subarray(200_000)]);
    expect(await streamWriter.receipt).toMatchObject({ sha256: sha256(bytes), verified: false });
  });
});

describe("an abort", () => {
  test("ends a read, a write, a query and a reconnection with its reason", async () => {
    const server = mock({ stingyTo: new Set(["slow"]) });
    server.put("big", noise(4_000_000));
    const client = await open(server);
    const reason = new Error("enough");
    const stop = new AbortController();
    const { signal } = stop;
    const reader = client.openRead("big", { signal });
    await reader.opened;
    const streamWriter = client.openWrite({ id: "slow", signal });
    const written = streamWriter.writable.getWriter().write(noise(100_000_000));
    await until("it is written", 5_000, () => server.streams.get("slow")?.bytes.length === serverCredit);
    const outcomes = Promise.allSettled([bytesOf(reader), streamWriter.receipt, written]);
    stop.abort(reason);
    for (const outcome of await within("the end", 5_000, outcomes)) {
      expect(outcome).toEqual({ status: "rejected", reason });
    }
    expect(await client.info("slow", signal).catch((error: unknown) => error)).toBe(reason);
    await until(
      "both are closed",
      5_000,
      () => server.messages.filter((type) => type === "CLOSE").length === 2,
    );
    expect(server.streams.get("slow")?.bytes.length).toBe(serverCredit);
    expect(await client.info("big")).toBeDefined();
    await server.stop();
    const wait = client.info("big", AbortSignal.timeout(50)).catch((error: unknown) => error);
    expect(await within("the end of the wait", 5_000, wait)).toMatchObject({ name: "TimeoutError" });
  });

  test("of the client closes it", async () => {
    const server = mock({ stingyTo: new Set(["slow"]) });
    const stop = new AbortController();
    const client = await open(server, { signal: stop.signal });
    const streamWriter = client.openWrite({ id: "slow" });
    const receipt = failureOf(streamWriter.receipt);
    stop.abort();
    expect((await receipt).code).toBe("CLOSED");
    expect((await failureOf(client.info("a"))).code).toBe("CLOSED");
  });
});

describe("a server", () => {
  test("that shuts down gets no new channels, and finishes the open ones", async () => {
    const server = mock();
    const bytes = noise(2_000_000);
    server.put("big", bytes);
    const client = await open(server);
    const reader = client.openRead("big");
    await reader.opened;
    server.goodbye(5_000);
    await until("another connection", 5_000, async () => {
      await client.info("big");
      return server.connections === 2;
    });
    expect((await bytesOf(reader)).equals(bytes)).toBe(true);
    expect(server.messages.filter((type) => type === "READ")).toHaveLength(1);
  });

  test("that allows few channels gets the other calls as channels close", async () => {
    const server = mock({ maxChannels: 3 });
    const client = await open(server);
    const bytes = noise(100_000);
    const uploads = Array.from({ length: 20 }, (_, i) =>
      client.upload(bytesSource(bytes), { id: `song-${i}` }),
    );
    expect((await Promise.all(uploads)).every(({ verified }) => verified)).toBe(true);
    expect(server.connections).toBe(1);
  });

  test("that is silent gets a PING", async () => {
    const server = mock({ idleMs: 60 });
    await open(server);
    await until("PING", 5_000, () => server.messages.includes("PING"));
  });

  test("that violates the protocol is disconnected", async () => {
    const server = mock();
    const client = await open(server, { retry: { ...quickRetry, retries: 0 } });
    const reader = client.follow("live");
    server.put("live", noise(10), false);
    for (const frame of ["text", new Uint8Array([1, 2, 3])]) {
      await client.info("live");
      const query = failureOf(client.list());
      server.sendAll(frame);
      const error = await query;
      expect(error.code).toBe("UNEXPECTED");
    }
    reader.cancel();
  });

  test("that speaks another protocol is recognised", async () => {
    const foreign = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => {
        request.headers.delete("Sec-WebSocket-Protocol");
        return server.upgrade(request) ? undefined : new Response("no");
      },
      websocket: { message: () => undefined },
    });
    cleanup(() => foreign.stop(true));
    const url = `ws://127.0.0.1:${foreign.port}/audio`;
    expect((await failureOf(connect(url))).code).toBe("OTHER_PROTOCOL");
  });
});
