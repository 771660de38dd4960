import { expect, test } from "bun:test";
import { measureSongsTls } from "./songs-tls.ts";

test("a song over TLS is measured, beside other installed servers", async () => {
  const figures = await measureSongsTls({ sizeMiB: 1, rounds: 2 });
  expect(figures[0]!.name).toBe("Wavecache");
  for (const { rates } of figures) {
    expect(rates.length).toBe(2);
    expect(Math.min(...rates)).toBeGreaterThan(0);
  }
}, 30_000);
