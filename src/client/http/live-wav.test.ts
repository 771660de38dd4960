import { describe, expect, test } from "bun:test";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { cleanups, failureOf, rejectionOf } from "../../testing/fixtures/client.ts";
import { melody, pcmBytes, samplesOf } from "../../testing/fixtures/wav.ts";
import { LiveWav } from "./live-wav.ts";

const cleanup = cleanups();
const head = encodeWavHeader(16_000, 2, undefined);

function liveServer(answer: (path: string) => Response | Promise<Response>) {
  const paths: string[] = [];
  const fetch = (request: Request) => {
    const { pathname } = new URL(request.url);
    paths.push(pathname);
    return answer(pathname);
  };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  cleanup(() => server.stop(true));
  return { url: `ws://127.0.0.1:${server.port}/audio`, paths };
}

/** A body of these pieces. */
function body(pieces: readonly Uint8Array[], ends = true): Response {
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      for (const piece of pieces) {
        controller.enqueue(piece);
        await Bun.sleep(2);
      }
      if (ends) controller.close();
    },
  });
  return new Response(stream, { headers: { "content-type": "audio/wav" } });
}

async function heardOf(live: LiveWav): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of live.audio()) pieces.push(piece.slice());
  return pieces;
}

describe("live audio", () => {
  test("comes in whole samples of all channels without its header, however it was split", async () => {
    const pcm = melody(1_000, 2);
    const all = Buffer.concat([head, pcmBytes(pcm), Buffer.from([1, 2, 3])]);
    const cuts = [0, 3, 44, 45, 1_111, 1_112, all.length];
    const pieces = cuts.slice(1).map((to, at) => all.subarray(cuts[at], to));
    const { url, paths } = liveServer(() => body(pieces));
    const live = await LiveWav.open({ url, device: "AA:BB/../ü" });
    expect(live.format).toMatchObject({ sampleRate: 16_000, channels: 2, frameBytes: 4 });
    expect(Buffer.from(live.head).equals(head)).toBe(true);
    const heard = await heardOf(live);
    expect(heard.every((piece) => piece.length % 4 === 0)).toBe(true);
    expect(samplesOf(Buffer.concat(heard))).toEqual(pcm);
    expect(paths).toEqual(["/live/AA_BB__%C3%BC.wav"]);
  });

  test("gets a header with its sizes at the end, but not above 4 GiB", async () => {
    const { url } = liveServer(() => body([head]));
    const live = await LiveWav.open({ url, device: "1" });
    expect(live.sizedHead(4_000)).toEqual(encodeWavHeader(16_000, 2, 4_000));
    expect(live.sizedHead(2 ** 32 - 4)).toEqual(head);
    expect(live.sizedHead(2 ** 32 - 37)).toEqual(encodeWavHeader(16_000, 2, 2 ** 32 - 37));
    expect(await heardOf(live)).toEqual([]);
  });

  test("ends with the reason of the signal", async () => {
    const { url } = liveServer(() => body([head, new Uint8Array(400)], false));
    const controller = new AbortController();
    const live = await LiveWav.open({ url, device: "1", signal: controller.signal });
    const heard = heardOf(live);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    expect(await rejectionOf(heard)).toBe("enough");
  });

  test("ends the request when its reader stops", async () => {
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(head);
        controller.enqueue(new Uint8Array(400));
      },
      cancel: () => resolve(),
    });
    const { url } = liveServer(() => new Response(stream));
    const live = await LiveWav.open({ url, device: "1" });
    for await (const piece of live.audio()) if (piece.length > 0) break;
    await cancelled;
  });
});

/** A server that cuts the connection after these bytes of the answer. */
function losing(bytes: string): string {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n`);
        socket.write(`${bytes.length.toString(16)}\r\n`);
        socket.write(Buffer.from(bytes, "latin1"));
        socket.write("\r\n");
        setTimeout(() => socket.terminate(), 20);
      },
    },
  });
  cleanup(() => listener.stop(true));
  return `ws://127.0.0.1:${listener.port}/audio`;
}

describe("listening", () => {
  test("fails with the server's message if the device is not recorded", async () => {
    const error = { code: "RECORDING_UNKNOWN", message: "no such recording now", hint: "start the device" };
    const { url } = liveServer(() => Response.json({ error }, { status: 404 }));
    const failure = await failureOf(LiveWav.open({ url, device: "1" }));
    expect(failure).toMatchObject({
      code: "REFUSED",
      detail: "no such recording now",
      hint: "start the device",
    });
  });

  test("fails without live audio at the server, without a server, and for an invalid id", async () => {
    const { url } = liveServer(() => new Response("not found", { status: 404 }));
    expect((await failureOf(LiveWav.open({ url, device: "1" }))).code).toBe("NO_RECORDER");
    expect((await failureOf(LiveWav.open({ url: "ws://127.0.0.1:1/", device: "1" }))).code).toBe(
      "UNREACHABLE",
    );
    expect((await failureOf(LiveWav.open({ url, device: "/" }))).code).toBe("BAD_ARGUMENT");
    const page = liveServer(() => new Response("<html> but of status 200, and long enough"));
    expect((await failureOf(LiveWav.open({ url: page.url, device: "1" }))).code).toBe("UNEXPECTED");
  });

  test("fails without an answer in time", async () => {
    const { url } = liveServer(() => new Promise<Response>(() => undefined));
    const failure = await failureOf(LiveWav.open({ url, device: "1", timeoutMs: 30 }));
    expect(failure.code).toBe("ANSWER_TIMEOUT");
  });

  test("fails if the connection is lost before or in the middle of the audio", async () => {
    const early = losing("RIFF");
    expect((await failureOf(LiveWav.open({ url: early, device: "1" }))).code).toBe("CONNECTION_LOST");
    const late = losing(Buffer.concat([head, new Uint8Array(40)]).toString("latin1"));
    const live = await LiveWav.open({ url: late, device: "1" });
    const failure = await failureOf(heardOf(live));
    expect(failure.code).toBe("CONNECTION_LOST");
    expect(failure.message).toMatch(/^connection lost: [^.]*$/);
  });
});
