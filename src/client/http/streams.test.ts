import { describe, expect, test } from "bun:test";
import { cleanups, failureOf } from "../../testing/fixtures/client.ts";
import { deadAddress } from "../../testing/mocks/servers.ts";
import { httpOrigin } from "./api.ts";
import { getStream, listStreams, removeStream } from "./streams.ts";

const cleanup = cleanups();

const song = {
  streamId: "song",
  state: "finished",
  size: 3,
  sha256: "ab",
  format: null,
  createdAt: "2025-01-01T00:00:00.000Z",
  finishedAt: "2025-01-01T00:00:01.000Z",
} as const;

const unknown = { error: { code: "STREAM_UNKNOWN", message: "no such stream", hint: "list the streams" } };

function api(answer: (request: Request) => Response | Promise<Response>): { url: string; seen: string[] } {
  const seen: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname, search } = new URL(request.url);
      seen.push(`${request.method} ${pathname}${search}`);
      return answer(request);
    },
  });
  cleanup(() => server.stop(true));
  return { url: `ws://127.0.0.1:${server.port}/audio?x=1`, seen };
}

describe("the list of streams", () => {
  test("is requested with the given filters, at the host and port of the WebSocket", async () => {
    const { url, seen } = api(() => Response.json({ streams: [song], next: "song" }));
    const page = await listStreams({ url, state: "finished", limit: 5, after: "a&b" });
    expect(page).toEqual({ streams: [song], next: "song" });
    expect(seen).toEqual(["GET /api/streams?state=finished&limit=5&after=a%26b"]);
  });

  test("returns a stream, or undefined if it does not exist", async () => {
    const { url, seen } = api((request) =>
      request.url.endsWith("/song") ? Response.json(song) : Response.json(unknown, { status: 404 }),
    );
    expect(await getStream("song", { url })).toEqual(song);
    expect(await getStream("a/b?c#d", { url })).toBeUndefined();
    expect(seen).toEqual(["GET /api/streams/song", "GET /api/streams/a%2Fb%3Fc%23d"]);
  });

  test("removes a stream, and tells if it does not exist", async () => {
    const { url, seen } = api((request) =>
      request.url.endsWith("/song")
        ? new Response(null, { status: 204 })
        : Response.json(unknown, { status: 404 }),
    );
    expect(await removeStream("song", { url })).toBe(true);
    expect(await removeStream("gong", { url })).toBe(false);
    expect(seen[0]).toBe("DELETE /api/streams/song");
  });

  test("refuses ids that a URL would drop", async () => {
    for (const id of ["", ".", ".."]) {
      expect((await failureOf(removeStream(id, { url: "ws://127.0.0.1:1" }))).code).toBe("BAD_ARGUMENT");
    }
  });
});

describe("a server without the list", () => {
  test("fails with NO_HTTP_API, whatever it answers", async () => {
    const answers = [
      () => new Response("not found", { status: 404 }),
      () => new Response("<html>"),
      () => Response.json({ streams: [{ streamId: 1 }] }),
      () => Response.redirect("http://127.0.0.1:1/"),
    ];
    for (const answer of answers) {
      const { url } = api(answer);
      expect((await failureOf(listStreams({ url }))).code).toBe("NO_HTTP_API");
      expect((await failureOf(getStream("song", { url }))).code).toBe("NO_HTTP_API");
    }
  });

  test("that does not run is unreachable", async () => {
    expect((await failureOf(listStreams({ url: deadAddress() }))).code).toBe("UNREACHABLE");
  });
});

test("a server's refusal has its message and hint", async () => {
  const body = { error: { code: "STREAM_UNFINISHED", message: "stream is unfinished", hint: "wait" } };
  const { url } = api(() => Response.json(body, { status: 409 }));
  const error = await failureOf(removeStream("song", { url }));
  expect(error).toMatchObject({ code: "REFUSED", detail: "stream is unfinished", hint: "wait" });
});

test("a missing answer is a timeout, and an abort throws its reason", async () => {
  const { url } = api(() => new Promise(() => undefined));
  expect((await failureOf(listStreams({ url, timeoutMs: 30 }))).code).toBe("ANSWER_TIMEOUT");
  const controller = new AbortController();
  const listing = listStreams({ url, signal: controller.signal });
  controller.abort(new Error("enough"));
  expect(listing).rejects.toThrow("enough");
  await listing.catch(() => undefined);
});

test("the HTTP address is the WebSocket's host and port", () => {
  expect(httpOrigin("ws://localhost:8080/audio")).toBe("http://localhost:8080");
  expect(httpOrigin("WSS://example.org/a?b")).toBe("https://example.org");
  expect(httpOrigin("http://x:1/")).toBe("http://x:1");
  expect(() => httpOrigin("ftp://x")).toThrow("not a WebSocket address");
});
