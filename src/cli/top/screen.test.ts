import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Exposition } from "../../client/http/exposition.ts";
import { figuresOf } from "./figures.ts";
import { topOrders, topScreen, type TopOrder, wholeReport } from "./screen.ts";
import type { Snapshot } from "./snapshot.ts";

/** A scrape after `seconds` of a server whose counters grow evenly. */
function snapshot(seconds: number, changes: Partial<Snapshot> = {}): Snapshot {
  const metrics = new Exposition(`
wavecache_info{version="1.2.3"} 1
process_start_time_seconds 1000
process_cpu_seconds_total ${seconds / 2}
process_resident_memory_bytes 104857600
wavecache_tcp_connections 7
wavecache_tcp_connections_limit 4096
wavecache_streams{state="uploading"} 2
wavecache_streams{state="finished"} 40
wavecache_cache_bytes{kind="object"} 1048576
wavecache_cache_bytes{kind="unfinished"} 1048576
wavecache_cache_limit_bytes 8388608
wavecache_recordings 1
wavecache_disk_free_bytes{kind="streams"} 1073741824
wavecache_disk_size_bytes{kind="streams"} 2147483648
wavecache_connections{door="v1"} 2
wavecache_connections{door="api"} 1
wavecache_connections{door="mqtt"} 0
wavecache_connections_total{door="v1"} 2
wavecache_connections_total{door="api"} 9
wavecache_connections_total{door="mqtt"} 0
wavecache_received_bytes_total{door="v1"} ${seconds * 2048}
wavecache_sent_bytes_total{door="api"} ${seconds * 1024}
wavecache_errors_total{door="api",code="A"} ${seconds}
wavecache_errors_total{door="api",code="B"} ${seconds}
wavecache_thread_restarts_total{thread="writer 1"} 3
wavecache_thread_restarts_total{thread="keeper"} 0
wavecache_jobs_total{thread="writer 1",job="write"} ${seconds * 100}
wavecache_job_seconds_total{thread="writer 1",job="write"} ${seconds * 0.25}
wavecache_ring_size_bytes{thread="writer 1",direction="in"} 1000
wavecache_ring_used_bytes{thread="writer 1",direction="in"} 300
wavecache_waiting_calls{thread="keeper"} 5
`);
  const uploads = [
    { streamId: "slow", size: 9_000_000 },
    { streamId: "fast", size: seconds * 1_048_576 },
  ];
  return { atMs: seconds * 1000, metrics, reasons: [], uploads, devices: [], ...changes };
}

const figures = figuresOf(snapshot(1), snapshot(3), 4_600_000);
const viewBy = (order: TopOrder) => ({ address: "ws://radio", order, colors: false });

/** The first words of the rows below the line that begins with `title`. */
function rowsOf(lines: readonly string[], title: string): string[] {
  const at = lines.findIndex((line) => line.startsWith(title));
  const end = lines.indexOf("", at);
  return lines.slice(at + 2, end === -1 ? undefined : end).map((line) => line.split(/ {2,}/)[0]!);
}

describe("the figures of a server", () => {
  test("are its states, and the rates between two scrapes", () => {
    expect(figures).toMatchObject({
      version: "1.2.3",
      uptimeSeconds: 3600,
      processors: 0.5,
      cacheBytes: 2 * 1_048_576,
      streams: { uploading: 2, finishing: 0, interrupted: 0, finished: 40 },
      disks: [{ name: "streams", freeBytes: 2 ** 30, sizeBytes: 2 ** 31 }],
      gateways: [
        { name: "v1", connections: 2, receivedPerSecond: 2048, sentPerSecond: 0, errorsPerSecond: 0 },
        { name: "api", connections: 1, receivedPerSecond: 0, sentPerSecond: 1024, errorsPerSecond: 2 },
      ],
      threads: [
        {
          name: "writer 1",
          jobsPerSecond: 100,
          load: 0.25,
          ringFill: 0.3,
          waitingCalls: undefined,
          restarts: 3,
        },
        { name: "keeper", jobsPerSecond: 0, load: 0, ringFill: undefined, waitingCalls: 5, restarts: 0 },
      ],
      uploads: [
        { streamId: "slow", size: 9_000_000, growthPerSecond: 0 },
        { streamId: "fast", size: 3 * 1_048_576, growthPerSecond: 1_048_576 },
      ],
    });
  });

  test("have no negative rates when the server was started again", () => {
    const { gateways, uploads, processors } = figuresOf(snapshot(9), snapshot(1), 0);
    expect(gateways.map(({ receivedPerSecond }) => receivedPerSecond)).toEqual([0, 0]);
    expect(uploads!.map(({ growthPerSecond }) => growthPerSecond)).toEqual([0, 0]);
    expect(processors).toBe(0);
  });
});

describe("the screen of a server", () => {
  test("says what the server is doing", () => {
    const lines = wholeReport(figures, viewBy("rate"));
    expect(lines.slice(0, 5)).toEqual([
      "wavecache 1.2.3   ws://radio   up 1 h 0 min",
      "ready",
      "CPU 50 %   memory 100.00 MiB   connections 7 of 4096",
      "streams 40 finished   2 uploading   0 interrupted   recordings 1   listeners 0",
      "cache 2.00 MiB of 8.00 MiB   streams disk 1.00 GiB free of 2.00 GiB",
    ]);
    expect(lines).toContain("writer 1     100  25 %  30 %        -         3");
    expect(lines).toContain("Devices: none");
  });

  test("sorts by rate, size or name", () => {
    const uploadsBy = (order: TopOrder) => rowsOf(wholeReport(figures, viewBy(order)), "Unfinished streams");
    expect(uploadsBy("rate")).toEqual(["fast", "slow"]);
    expect(uploadsBy("size")).toEqual(["slow", "fast"]);
    expect(uploadsBy("name")).toEqual(["fast", "slow"]);
    expect(rowsOf(wholeReport(figures, viewBy("name")), "Gateways")).toEqual(["api", "v1"]);
    expect(rowsOf(wholeReport(figures, viewBy("rate")), "Gateways")).toEqual(["v1", "api"]);
  });

  test("fits any terminal, and has the keys in its last line", () => {
    const uploads = Array.from({ length: 60 }, (_, at) => ({ streamId: `stream-${at}`.repeat(9), size: at }));
    const many = figuresOf(snapshot(1, { uploads }), snapshot(2, { uploads, reasons: ["DISK_FULL"] }), 0);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 80 }),
        fc.constantFrom(...topOrders),
        fc.boolean(),
        (columns, rows, order, colors) => {
          const lines = topScreen(many, { ...viewBy(order), colors }, { columns, rows });
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
          expect(Bun.stripANSI(lines.at(-1)!)).toBe(
            "q quit   s sort".slice(0, columns) + Bun.stripANSI(lines.at(-1)!).slice(15),
          );
        },
      ),
    );
  });

  test("gives the rows that are left to long tables, and says how many it leaves out", () => {
    const uploads = Array.from({ length: 60 }, (_, at) => ({ streamId: `s${at}`, size: at }));
    const many = figuresOf(snapshot(1, { uploads }), snapshot(2, { uploads }), 0);
    const lines = topScreen(many, viewBy("size"), { columns: 80, rows: 40 });
    expect(lines).toHaveLength(40);
    const title = lines.find((line) => line.startsWith("Unfinished"));
    const shown = rowsOf(lines, "Unfinished").length;
    expect(title).toBe(`Unfinished streams   (${60 - shown} more)`);
    expect(shown).toBeGreaterThan(10);
  });

  test("says which lists the caller may not see, and what prevents the work", () => {
    const hidden = { uploads: undefined, devices: undefined, reasons: ["DISK_FULL", "A\u001b[2J"] };
    const lines = wholeReport(figuresOf(snapshot(1), snapshot(2, hidden), 0), viewBy("rate"));
    expect(lines[1]).toBe("not ready: DISK_FULL, A\\x1b[2J");
    expect(lines).toContain("Unfinished streams: this token may not list streams");
    expect(lines).toContain("Devices: this token may not list devices");
  });
});
