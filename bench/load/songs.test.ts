import { expect, test } from "bun:test";
import { measureSongs } from "./songs.ts";

test("songs are measured at the default pace", async () => {
  const settings = { transfers: 4, megabytes: 1, atOnce: 2, probes: 0, paces: [], json: undefined };
  const [atDefault] = await measureSongs(settings);
  expect(atDefault).toMatchObject({ protocol: "old", transfers: 4, datagrams: 4 * 977 });
  expect(atDefault!.achievedMbps).toBeGreaterThan(0);
}, 30_000);
