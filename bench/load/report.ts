/** The table of a run, in words for readers who do not know the code. */
import { GiB } from "../../src/base/limits/units.ts";
import { humanBytes, table } from "../../src/cli/kit/text.ts";
import type { Inside } from "./inside.ts";
import type { Machine } from "./machine.ts";
import type { Percentiles } from "./latency.ts";
import type { Settings } from "./options.ts";
import type { PacedPhase, PacedResult } from "./paced.ts";
import type { Cpu, Share, ShareName, Spread, Summary, Verdict } from "./summary.ts";

const shownErrors = 5;

export function headLines(settings: Settings, machine: Machine, description: string): string[] {
  const { streams, bytesPerStream, frameBytes, rounds, window, rateMbps, seconds } = settings;
  const work =
    rateMbps === undefined
      ? `${streams} streams of ${humanBytes(bytesPerStream)} at once, uploaded and downloaded, ` +
        `in frames of ${humanBytes(frameBytes)}, ${window} GETs in flight for each; median of ${rounds} rounds`
      : `${streams} streams at ${rateMbps} Mbit/s each, ${seconds} s of upload and ${seconds} s of download, ` +
        `in frames of ${humanBytes(frameBytes)}`;
  return [
    work,
    `Server: ${description}`,
    `Machine: ${machine.processors} x ${machine.model}, ${humanBytes(machine.memoryBytes)}, ` +
      `${machine.system}${machine.tcp === undefined ? "" : `, TCP ${machine.tcp}`}, Bun ${machine.bun}`,
    "",
  ];
}

/** A run at full speed. */
export function summaryLines(settings: Settings, summary: Summary): string[] {
  const { targets, streams } = settings;
  const rate = (name: string, spread: Spread, wantedMbps: number) => [
    name,
    `${mbit(spread.median)} Mbit/s`,
    `${(spread.median / streams).toFixed(1)} Mbit/s`,
    `${wantedMbps} Mbit/s`,
    `${Math.floor(spread.median / wantedMbps)} times`,
  ];
  return [
    ...table(
      [
        ["THROUGHPUT", "all streams", "each stream", "wanted of all", "that is"],
        rate("upload, hashed and durable", summary.uploadMbps, targets.uploadMbps),
        rate("download", summary.downloadMbps, targets.downloadMbps),
      ],
      [1, 2, 3, 4],
    ),
    "",
    ...v1Lines(settings, summary),
    ...shareLines(summary),
    ...latencyLines("LATENCY at full load, ms", {
      START: summary.latencyMs.start,
      GET: summary.latencyMs.get,
      STOP: summary.latencyMs.stop,
    }),
    "",
    ...costLines(summary),
    ...insideLines({ upload: summary.inside.upload, download: summary.inside.download }),
  ];
}

function v1Lines({ streams, v1Connections }: Settings, { uploadMbps, downloadMbps, v1 }: Summary): string[] {
  if (v1 === undefined) return [];
  const sender =
    v1.downloadOfSender === undefined ? [] : [`${percent(v1.downloadOfSender.median)} of a bare sender`];
  return [
    ...table(
      [
        [`PROTOCOLS, ${streams} streams`, "connections", "upload", "download"],
        [
          "the older protocol",
          String(streams),
          `${mbit(uploadMbps.median)} Mbit/s`,
          `${mbit(downloadMbps.median)} Mbit/s`,
        ],
        [
          "v1",
          String(v1Connections),
          `${mbit(v1.uploadMbps.median)} Mbit/s`,
          `${mbit(v1.downloadMbps.median)} Mbit/s`,
        ],
        [
          "v1 / the older protocol, round by round",
          "",
          times(v1.uploadOfOlder),
          times(v1.downloadOfOlder),
          ...sender,
        ],
      ],
      [1, 2, 3],
    ),
    "",
    ...latencyLines("LATENCY over v1, ms", { "64 KiB beside 32 long reads": v1.besideMs }),
    "",
  ];
}

/** The server's metrics of each phase; nothing for a server without metrics. */
export function insideLines(phases: Record<string, Inside | undefined>): string[] {
  const known = Object.entries(phases).filter((phase): phase is [string, Inside] => phase[1] !== undefined);
  if (known.length === 0) return [];
  const row = (name: string, text: (inside: Inside) => string) => [
    name,
    ...known.map(([, inside]) => text(inside)),
  ];
  return [
    "",
    ...table([
      ["INSIDE THE SERVER", ...known.map(([name]) => name)],
      row("event loop delay, p99", (inside) => `${milliseconds(inside.loopDelayP99Ms)} ms`),
      row("busiest writer", (inside) => `${percent(inside.busiestWriter)} busy`),
      row("busiest reader", (inside) => `${percent(inside.busiestReader)} busy`),
      row("fullest ring, average fill", ({ fullestRing: { ring, share } }) => `${percent(share)} (${ring})`),
    ]),
  ];
}

const shareTexts: Record<ShareName, string> = {
  uploadOfSink: "upload / bare WebSocket server that discards all",
  uploadOfHashSink: "upload / bare WebSocket server that hashes (SHA-256)",
  uploadOfHash: "upload / SHA-256 alone, one thread",
  uploadOfWrites: "upload / writing files alone, with fdatasync",
  downloadOfSender: "download / bare WebSocket server that sends unasked",
  downloadOfAnswerer: "download / bare WebSocket server that answers GETs",
  downloadOfCopy: "download / copying memory, one thread",
};

function shareLines({ shares }: Summary): string[] {
  if (shares === undefined) return [];
  const rows = (Object.entries(shares) as [ShareName, Share][]).map(shareRow);
  return [
    ...table(
      [["SHARE OF THE CEILINGS, Mbit/s", "server", "ceiling", "share", "rounds"], ...rows],
      [1, 2, 3, 4],
    ),
    "",
  ];
}

function shareRow([name, { ours, ceiling, share }]: [ShareName, Share]): string[] {
  return [
    shareTexts[name],
    mbit(ours.median),
    mbit(ceiling.median),
    percent(share.median),
    `${percent(share.min)} to ${percent(share.max)}`,
  ];
}

export function latencyLines(title: string, latencies: Record<string, Percentiles>): string[] {
  const rows = Object.entries(latencies).map(([name, { count, p50, p90, p99, p999, max }]) =>
    [name, ...[p50, p90, p99, p999, max].map(milliseconds)].concat(String(count)),
  );
  return table([[title, "p50", "p90", "p99", "p99.9", "max", "count"], ...rows], [1, 2, 3, 4, 5, 6]);
}

function costLines({ cpu, memory }: Summary): string[] {
  return table([
    ["COST TO THE SERVER"],
    ["processor time per GiB of upload", cpuText(cpu.upload, "bare server and SHA-256 alone")],
    ["processor time per GiB of download", cpuText(cpu.download, "bare answers to GETs")],
    ["the bench itself, per GiB of each", benchText(cpu.upload, cpu.download)],
    ["peak memory", memoryText(memory.peakResidentBytes, memory.peakOwnBytes)],
    ["memory per uploading stream", optionalBytes(memory.bytesPerUpload)],
    ["memory per downloading stream", optionalBytes(memory.bytesPerDownload)],
    ["memory per idle connection", optionalBytes(memory.bytesPerIdleConnection)],
  ]);
}

function cpuText({ secondsPerGiB, bareSecondsPerGiB }: Cpu, what: string): string {
  if (secondsPerGiB === undefined) return "not known";
  const ours = `${secondsPerGiB.toFixed(2)} s`;
  if (bareSecondsPerGiB === undefined) return ours;
  // Too little work for the resolution of the system's clock.
  if (bareSecondsPerGiB === 0) return ours;
  const times = (secondsPerGiB / bareSecondsPerGiB).toFixed(2);
  return `${ours}, ${times} times that of ${what} (${bareSecondsPerGiB.toFixed(2)} s)`;
}

function benchText(...cpus: Cpu[]): string {
  return cpus.map(({ benchSecondsPerGiB }) => `${(benchSecondsPerGiB ?? 0).toFixed(2)} s`).join(", ");
}

function memoryText(residentBytes: number | undefined, ownBytes: number | undefined): string {
  const own = ownBytes === undefined ? "" : `, ${humanBytes(ownBytes)} of it without mapped files`;
  return `${optionalBytes(residentBytes)}${own}`;
}

function optionalBytes(bytes: number | undefined): string {
  return bytes === undefined ? "not known" : humanBytes(Math.round(bytes));
}

/** A paced run. */
export function pacedLines(result: PacedResult): string[] {
  const { latencies, late, offeredMbps, upload, download } = result;
  const phase = (name: string, { mbps, bytes, cpuSeconds }: PacedPhase) => [
    name,
    `${mbit(offeredMbps)} Mbit/s`,
    `${mbit(mbps)} Mbit/s`,
    cpuSeconds === undefined ? "not known" : `${((cpuSeconds / bytes) * GiB).toFixed(2)} s`,
  ];
  return [
    ...table(
      [
        ["THROUGHPUT", "offered", "reached", "processor time per GiB"],
        phase("upload, hashed and durable", upload),
        phase("download", download),
      ],
      [1, 2, 3],
    ),
    "",
    ...latencyLines("LATENCY from the intended time, ms", {
      START: latencies.start.percentiles(),
      GET: latencies.get.percentiles(),
      STOP: latencies.stop.percentiles(),
      "of it the bench's own lateness": late.percentiles(),
    }),
    ...insideLines({ upload: upload.inside, download: download.inside }),
  ];
}

/** The verdict on a run: errors, then the targets. */
export function verdictLines(verdicts: Verdict[], errors: string[], leftStreams: number): string[] {
  const more = errors.length > shownErrors ? [`  and ${errors.length - shownErrors} more`] : [];
  return [
    "",
    ...(leftStreams > 0 ? [`${leftStreams} streams stay on the server: their removal failed`] : []),
    errors.length === 0
      ? "Errors    none; every byte came back as it was sent, every receipt was right"
      : `Errors    ${errors.length}`,
    ...errors.slice(0, shownErrors).map((error) => `  ${error}`),
    ...more,
    ...verdicts.map(({ what, wanted, met }) => `Target    ${what}: ${met ? "met" : "MISSED"} (${wanted})`),
  ];
}

function times({ median }: Spread): string {
  return `${median.toFixed(2)} times`;
}

function mbit(mbps: number): string {
  return mbps < 10 ? mbps.toFixed(2) : mbps.toFixed(0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function milliseconds(ms: number): string {
  return ms.toFixed(2);
}
