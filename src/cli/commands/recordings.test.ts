import { describe, expect, test } from "bun:test";
import { runClient } from "../../testing/harness/client-process.ts";
import { recording, recordingServers } from "../../testing/mocks/recordings.ts";

const servers = recordingServers();
const run = (...args: string[]) => runClient(["recordings", ...args]);

describe("recordings", () => {
  test("are printed as a table", async () => {
    const { url } = servers(1, 10);
    const { out, err, code } = await run("-s", url);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toBe(
      "ID  DEVICE   STREAM  STARTED                    LENGTH  FORMAT             LOST  FILE\n" +
        "1   kitchen  7       2025-01-31 09:05:00 UTC  10.000 s  adpcm 16000 Hz x1     3  kitchen/stream_7_1.wav\n",
    );
  });

  test("come from as many pages as needed, and never exceed --limit", async () => {
    const { url, asked } = servers(10, 3);
    const { out, err } = await run("-s", url, "--limit", "7", "--json");
    const { recordings, next } = JSON.parse(out) as { recordings: unknown[]; next: string };
    expect(recordings).toEqual([1, 2, 3, 4, 5, 6, 7].map((id) => recording(id)));
    expect({ next, err }).toEqual({ next: "7", err: "" });
    expect(asked).toEqual([
      "/api/recordings?limit=7",
      "/api/recordings?limit=4&after=3",
      "/api/recordings?limit=1&after=6",
    ]);
    expect((await run("-s", url, "--limit", "2")).err).toBe("there are more: continue with --after 2\n");
    expect(JSON.parse((await run("-s", url, "--json", "--after", "9")).out)).toMatchObject({ next: null });
  });

  test("are filtered by device and time, in UTC without a zone", async () => {
    const { url, asked } = servers(0, 3);
    const { out } = await run(
      "-s",
      url,
      "--device",
      "a b",
      "--from",
      "2025-01-31 09:05:00 UTC",
      "--to",
      "2025-02-01",
    );
    expect(out).toBe("no recordings\n");
    await run("-s", url, "--from", "2025-01-31T09:05+02:00", "--to", "2025-01-31T09:05");
    const [first = "", second = ""] = asked.map(decodeURIComponent);
    expect(first).toContain("device=a+b&from=2025-01-31T09:05:00.000Z&to=2025-02-01T00:00:00.000Z&");
    expect(second).toContain("from=2025-01-31T07:05:00.000Z&to=2025-01-31T09:05:00.000Z&");
  });

  test("refuse invalid times", async () => {
    for (const time of ["yesterday", "2025-13-01", "31.1.2025", ""]) {
      const { err, code } = await run("--from", time);
      expect(err).toBe(`error: --from is no time: "${time}" (give it like 2025-01-31T09:05 or 2025-01-31)\n`);
      expect(code).toBe(2);
    }
  });
});
