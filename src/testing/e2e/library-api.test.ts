/** The list of songs over HTTP, from the real server. */
import { expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { useServers } from "../harness/server.ts";
import { SongServer } from "../harness/servers/song-server.ts";
import { until } from "../harness/until.ts";

useServers();

const sample = readFileSync(resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav"));

test("GET /api/library lists the folder, in pages", async () => {
  await using songs = await SongServer.start();
  const list = async (query = ""): Promise<{ songs: { name: string }[]; next: string | null }> => {
    const response = await fetch(`${songs.server.httpBase}/api/library${query}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    return (await response.json()) as { songs: { name: string }[]; next: string | null };
  };
  expect(await list()).toEqual({ songs: [], next: null });
  songs.put("b/Ärger & Co.wav", sample);
  songs.put("a.txt", Buffer.from("text"));
  const listed = (count: number) =>
    until(`${count} songs`, 5_000, async () => (await list()).songs.length === count);
  await listed(2);
  const { songs: all } = await list();
  expect(all).toEqual([
    { name: "a.txt", size: 4, type: "application/octet-stream", duration: null },
    { name: "b/Ärger & Co.wav", size: sample.length, type: "audio/wav", duration: expect.any(Number) },
  ] as never);
  expect(await list("?limit=1")).toEqual({ songs: [all[0]!], next: "a.txt" });
  expect(await list("?limit=1&after=a.txt")).toEqual({ songs: [all[1]!], next: null });
  rmSync(join(songs.libraryFolder, "a.txt"));
  await listed(1);
});

test("GET /api/library rejects invalid queries and other methods", async () => {
  await using songs = await SongServer.start();
  const ask = (query: string, method = "GET") =>
    fetch(`${songs.server.httpBase}/api/library${query}`, { method });
  for (const query of ["?limit=0", "?limit=1001", "?limit=x"]) expect((await ask(query)).status).toBe(400);
  expect((await ask("", "POST")).status).toBe(405);
});
