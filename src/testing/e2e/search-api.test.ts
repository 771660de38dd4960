import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource } from "../../client/audio-source.ts";
import { connect } from "../../client/v1/bun.ts";
import { ApiContract } from "../harness/http/contract.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

let server: TestServer;
let api: ApiContract;

interface Page {
  streams: { streamId: string; title: string | null; name: string | null }[];
  next: string | null;
  total: number;
}

async function search(query: string): Promise<Page> {
  const response = await api.request("GET", `/api/streams?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

const ids = (page: Page) => page.streams.map(({ streamId }) => streamId);

beforeAll(async () => {
  server = await TestServer.start();
  api = await ApiContract.open(server.httpBase);
  const client = await connect(server.url);
  const streams: [string, number, Record<string, string>][] = [
    ["one", 300, { title: "Ágætis byrjun", artist: "Sigur Rós", name: "albums/Ágætis byrjun.ogg" }],
    ["two", 100, { title: "Svefn-g-englar", artist: "Sigur Rós" }],
    ["three", 200, { name: "field recording.wav" }],
  ];
  for (const [streamId, bytes, tags] of streams) {
    await client.upload(bytesSource(new Uint8Array(bytes)), { id: streamId, metadata: { tags } });
  }
  client.close();
});

afterAll(async () => {
  await server.dispose();
});

describe("GET /api/streams", () => {
  test("finds streams by the beginning of a word, without its accents", async () => {
    const page = await search(`q=${encodeURIComponent("agæt")}`);
    expect(page).toMatchObject({ total: 1, next: null });
    expect(page.streams[0]).toMatchObject({
      streamId: "one",
      title: "Ágætis byrjun",
      name: "Ágætis byrjun.ogg",
    });
    expect(ids(await search("q=record"))).toEqual(["three"]);
    expect((await search("q=nothing")).total).toBe(0);
  });

  test("finds streams by tags, and lists all of them for an empty search", async () => {
    const query = `tag.artist=${encodeURIComponent("Sigur Rós")}`;
    expect(ids(await search(query))).toEqual(["one", "two"]);
    expect(ids(await search(`${query}&q=sve`))).toEqual(["two"]);
    expect(ids(await search("tag.__proto__=x"))).toEqual([]);
    expect((await search("q=")).total).toBe(3);
  });

  test("sorts, and continues where the page before ended", async () => {
    expect(ids(await search("sort=size"))).toEqual(["two", "three", "one"]);
    expect(ids(await search("sort=-created"))).toEqual(["three", "two", "one"]);
    for (const sort of ["id", "-id", "title", "-size", "duration"]) {
      const whole = ids(await search(`sort=${sort}`));
      const seen: string[] = [];
      for (let next: string | null = ""; next !== null;) {
        const page: Page = await search(`sort=${sort}&limit=1&after=${next}`);
        expect(page.total).toBe(3);
        seen.push(...ids(page));
        next = page.next;
      }
      expect(seen).toEqual(whole);
    }
  });

  test("narrows by the time of creation", async () => {
    const now = Date.now();
    expect((await search(`from=${now + 60_000}`)).total).toBe(0);
    expect((await search(`to=${new Date(now + 60_000).toISOString()}`)).total).toBe(3);
  });
});
