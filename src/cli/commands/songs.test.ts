import { expect, test } from "bun:test";
import { runClient } from "../../testing/harness/client-process.ts";
import { cleanups } from "../../testing/fixtures/client.ts";

const cleanup = cleanups();

/** A server with songs 1 to `count`, and no more than 2 per page. */
function serve(count: number): { url: string; asked: string[] } {
  const asked: string[] = [];
  const fetch = (request: Request) => {
    const { pathname, search, searchParams } = new URL(request.url);
    asked.push(pathname + search);
    const after = Number(searchParams.get("after") ?? 0);
    const size = Math.min(2, Number(searchParams.get("limit")), count - after);
    const songs = Array.from({ length: size }, (_, at) => ({
      name: String(after + at + 1),
      size: 4_194_304,
      type: "audio/flac",
      duration: at === 0 ? 125 : null,
    }));
    return Response.json({ songs, next: after + size < count ? String(after + size) : null });
  };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  cleanup(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, asked };
}

test("songs prints all pages as a table or as JSON", async () => {
  const { url, asked } = serve(3);
  const { out, err, code } = await runClient(["songs", "-s", url]);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out).toBe(
    "NAME      SIZE     LENGTH  TYPE\n" +
      "1     4.00 MiB  2 min 5 s  audio/flac\n" +
      "2     4.00 MiB          -  audio/flac\n" +
      "3     4.00 MiB  2 min 5 s  audio/flac\n",
  );
  expect(asked).toEqual(["/api/library?limit=100", "/api/library?limit=98&after=2"]);
  const some = await runClient(["songs", "-s", url, "--limit", "2", "--json"]);
  expect(JSON.parse(some.out)).toMatchObject({ songs: [{ name: "1" }, { name: "2" }], next: "2" });
  expect((await runClient(["songs", "-s", url, "--limit", "2"])).err).toBe(
    'there are more: continue with --after "2"\n',
  );
});

test("an empty library prints a line that says so, and a server without a library is an error", async () => {
  expect((await runClient(["songs", "-s", serve(0).url])).out).toBe("no songs\n");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("", { status: 404 }),
  });
  cleanup(() => server.stop(true));
  const { err, code } = await runClient(["songs", "-s", `http://127.0.0.1:${server.port}`]);
  expect(err).toMatch(/^error: the server has no songs/);
  expect(code).toBe(1);
});
