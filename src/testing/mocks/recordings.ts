/** Mock servers with a list of recordings. */
import { cleanups } from "../fixtures/client.ts";

export function recording(id: number, device: string | null = "kitchen") {
  const file = { bytes: 1_000, sha256: "0123456789abcdef".repeat(4) };
  return {
    id,
    device,
    streamId: 7,
    codec: "adpcm",
    sampleRate: 16_000,
    channels: 1,
    startedAt: "2025-01-31T09:05:00.123Z",
    endedAt: "2025-01-31T09:05:10.123Z",
    frames: 500,
    samples: 160_000,
    gaps: 1,
    lostFrames: 3,
    nibbleOrder: "low",
    nibbleOrderBy: "matched",
    bin: { path: `kitchen/stream_7_${id}.bin`, ...file },
    wav: { path: `kitchen/stream_7_${id}.wav`, ...file },
  };
}

/** Starts servers that list recordings 1 to `count` in pages of up to `pageSize`, and record the requested paths. */
export function recordingServers(): (count: number, pageSize: number) => { url: string; asked: string[] } {
  const cleanup = cleanups();
  return (count, pageSize) => {
    const asked: string[] = [];
    const fetch = (request: Request) => {
      const { pathname, search, searchParams } = new URL(request.url);
      asked.push(pathname + search);
      const after = Number(searchParams.get("after") ?? 0);
      const size = Math.min(pageSize, Number(searchParams.get("limit") ?? pageSize), count - after);
      const recordings = Array.from({ length: size }, (_, at) => recording(after + at + 1));
      return Response.json({ recordings, next: after + size < count ? after + size : null });
    };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
    cleanup(() => server.stop(true));
    return { url: `ws://127.0.0.1:${server.port}/audio`, asked };
  };
}
