import { describe, expect, test } from "bun:test";
import { cleanups, failureOf } from "../../testing/fixtures/client.ts";
import { recording, recordingServers } from "../../testing/mocks/recordings.ts";
import { listRecordings } from "./recordings.ts";

const cleanup = cleanups();
const servers = recordingServers();

describe("the list of recordings", () => {
  test("is requested with the given filters", async () => {
    const { url, asked } = servers(2, 10);
    const from = new Date("2025-01-31T09:05:00Z");
    const to = new Date("2025-01-31T10:05:00Z");
    await listRecordings({ url, device: "a&b", from, to, limit: 5, after: "0" });
    const times = "from=2025-01-31T09%3A05%3A00.000Z&to=2025-01-31T10%3A05%3A00.000Z";
    expect(asked).toEqual([`/api/recordings?device=a%26b&${times}&limit=5&after=0`]);
  });

  test("comes in pages, with `next` as text", async () => {
    const { url } = servers(3, 2);
    const first = await listRecordings({ url });
    expect(first).toMatchObject({ recordings: [recording(1), recording(2)], next: "2" });
    const second = await listRecordings({ url, after: first.next ?? "" });
    expect(second).toMatchObject({ recordings: [recording(3)], next: null });
  });

  test("is missing if the server answers anything else", async () => {
    const odd = { ...recording(1), codec: "opus" };
    const answers = [
      () => new Response("no", { status: 404 }),
      () => Response.json({ recordings: [odd], next: null }),
      () => Response.json({ streams: [], next: null }),
    ];
    for (const fetch of answers) {
      const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
      cleanup(() => server.stop(true));
      const failure = await failureOf(listRecordings({ url: `ws://127.0.0.1:${server.port}/` }));
      expect(failure.code).toBe("NO_RECORDER");
    }
  });
});
