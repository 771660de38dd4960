/** The summary of a run at full speed: medians of its rounds, shares of the ceilings, and whether targets are met. */
import { megabitsPerSecond } from "../../src/cli/kit/text.ts";
import { GiB } from "../../src/base/limits/units.ts";
import { largest } from "./figures.ts";
import type { Inside } from "./inside.ts";
import type { Latency, Percentiles } from "./latency.ts";
import type { Settings, Targets } from "./options.ts";
import type { Ceilings, Measured, Round, RoundsResult } from "./rounds.ts";
import type { Timed } from "./transfers.ts";

/** Median, minimum and maximum of the rounds. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** One figure of the server beside its ceiling: rates in Mbit/s, and `share` of one by the other. */
export interface Share {
  ours: Spread;
  ceiling: Spread;
  share: Spread;
}

export interface Summary {
  uploadMbps: Spread;
  downloadMbps: Spread;
  latencyMs: { start: Percentiles; get: Percentiles; stop: Percentiles };
  shares: Record<ShareName, Share> | undefined;
  copyMbps: Spread | undefined;
  cpu: { upload: Cpu; download: Cpu };
  memory: Memory;
  inside: { upload: Inside | undefined; download: Inside | undefined };
  v1: V1Summary | undefined;
}

/** Protocol v1 beside the older protocol. */
export interface V1Summary {
  uploadMbps: Spread;
  downloadMbps: Spread;
  /** Ratios of the two, round by round. */
  uploadOfOlder: Spread;
  downloadOfOlder: Spread;
  downloadOfSender: Spread | undefined;
  /** Latency of a short read beside long ones. */
  besideMs: Percentiles;
}

export type ShareName =
  | "uploadOfSink"
  | "uploadOfHashSink"
  | "uploadOfHash"
  | "uploadOfWrites"
  | "downloadOfSender"
  | "downloadOfAnswerer"
  | "downloadOfCopy";

/** Processor seconds of the server per GiB, and those of the bare parts of the work. */
export interface Cpu {
  secondsPerGiB: number | undefined;
  bareSecondsPerGiB: number | undefined;
  /** Of the bench itself: close to one second per second, the bench is the limit and not the server. */
  benchSecondsPerGiB: number | undefined;
}

export interface Memory {
  peakResidentBytes: number | undefined;
  peakOwnBytes: number | undefined;
  /** The server's own memory at the peak of the uploads, minus that before the first connection, per stream. */
  bytesPerUpload: number | undefined;
  /** The same for the downloads. */
  bytesPerDownload: number | undefined;
  /** The same for an idle connection. */
  bytesPerIdleConnection: number | undefined;
}

export function summarise(settings: Settings, result: RoundsResult): Summary {
  const { rounds, idle, latencies } = result;
  const ceilings = rounds.flatMap(({ ceilings }) => (ceilings === undefined ? [] : [ceilings]));
  const peak = (of: "upload" | "download", what: "peakOwnBytes" | "peakResidentBytes") =>
    largest(rounds.map((round) => round[of][what]));
  const [uploadBytes, downloadBytes] = [peak("upload", "peakOwnBytes"), peak("download", "peakOwnBytes")];
  const perStream = (bytes: number | undefined) =>
    bytes === undefined || idle.startBytes === undefined
      ? undefined
      : Math.max(0, bytes - idle.startBytes) / settings.streams;
  return {
    uploadMbps: spread(rounds.map((round) => mbps(round.upload))),
    downloadMbps: spread(rounds.map((round) => mbps(round.download))),
    latencyMs: {
      start: latencies.start.percentiles(),
      get: latencies.get.percentiles(),
      stop: latencies.stop.percentiles(),
    },
    shares: ceilings.length === rounds.length ? sharesOf(rounds, ceilings) : undefined,
    copyMbps: ceilings.length === 0 ? undefined : spread(ceilings.map(({ copy }) => mbps(copy))),
    cpu: cpuOf(rounds, ceilings),
    memory: {
      peakResidentBytes: largest([
        peak("upload", "peakResidentBytes"),
        peak("download", "peakResidentBytes"),
      ]),
      peakOwnBytes: largest([uploadBytes, downloadBytes]),
      bytesPerUpload: perStream(uploadBytes),
      bytesPerDownload: perStream(downloadBytes),
      bytesPerIdleConnection: perStream(idle.connectedBytes),
    },
    inside: { upload: worstInside(rounds, "upload"), download: worstInside(rounds, "download") },
    v1: v1Of(rounds, ceilings, result.beside),
  };
}

function v1Of(rounds: Round[], ceilings: Ceilings[], beside: Latency): V1Summary | undefined {
  const v1 = rounds.flatMap((round) => (round.v1 === undefined ? [] : [round.v1]));
  if (v1.length !== rounds.length) return undefined;
  const share = (of: "upload" | "download") =>
    spread(v1.map((each, at) => mbps(each[of]) / mbps(rounds[at]![of])));
  return {
    uploadMbps: spread(v1.map(({ upload }) => mbps(upload))),
    downloadMbps: spread(v1.map(({ download }) => mbps(download))),
    uploadOfOlder: share("upload"),
    downloadOfOlder: share("download"),
    downloadOfSender:
      ceilings.length === rounds.length
        ? spread(v1.map(({ download }, at) => mbps(download) / mbps(ceilings[at]!.sender)))
        : undefined,
    besideMs: beside.percentiles(),
  };
}

/** The maximum of each figure over the rounds. */
function worstInside(rounds: Round[], phase: "upload" | "download"): Inside | undefined {
  const known = rounds.map((round) => round[phase].inside).filter((inside) => inside !== undefined);
  if (known.length === 0) return undefined;
  const max = (of: (inside: Inside) => number) => Math.max(...known.map(of));
  return {
    loopDelayP99Ms: max((inside) => inside.loopDelayP99Ms),
    busiestWriter: max((inside) => inside.busiestWriter),
    busiestReader: max((inside) => inside.busiestReader),
    fullestRing: known
      .map((inside) => inside.fullestRing)
      .reduce((fullest, other) => (other.share > fullest.share ? other : fullest)),
  };
}

/** Mbit/s. */
function mbps({ bytes, ms }: Timed): number {
  return megabitsPerSecond(bytes, ms);
}

export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor((sorted.length - 1) / 2);
  const median = (sorted[middle]! + sorted[sorted.length - 1 - middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

function sharesOf(rounds: Round[], ceilings: Ceilings[]): Record<ShareName, Share> {
  const share = (ours: "upload" | "download", of: keyof Ceilings): Share => {
    const mine = rounds.map((round) => mbps(round[ours]));
    const bare = ceilings.map((each) => mbps(each[of]));
    // Per round, so that drift between rounds cancels out.
    return { ours: spread(mine), ceiling: spread(bare), share: spread(mine.map((m, at) => m / bare[at]!)) };
  };
  return {
    uploadOfSink: share("upload", "sink"),
    uploadOfHashSink: share("upload", "hashSink"),
    uploadOfHash: share("upload", "hash"),
    uploadOfWrites: share("upload", "write"),
    downloadOfSender: share("download", "sender"),
    downloadOfAnswerer: share("download", "answerer"),
    downloadOfCopy: share("download", "copy"),
  };
}

function cpuOf(rounds: Round[], ceilings: Ceilings[]): { upload: Cpu; download: Cpu } {
  const sinkCpu = perGiB(ceilings.map(({ sink }) => sink));
  // A single busy thread: its time is its processor time.
  const hashCpu = perGiB(ceilings.map(({ hash }) => ({ ...hash, cpuSeconds: hash.ms / 1000 })));
  return {
    upload: {
      secondsPerGiB: perGiB(rounds.map(({ upload }) => upload)),
      bareSecondsPerGiB: sinkCpu === undefined || hashCpu === undefined ? undefined : sinkCpu + hashCpu,
      benchSecondsPerGiB: perGiB(rounds.map(({ upload }) => benchOf(upload))),
    },
    download: {
      secondsPerGiB: perGiB(rounds.map(({ download }) => download)),
      bareSecondsPerGiB: perGiB(ceilings.map(({ answerer }) => answerer)),
      benchSecondsPerGiB: perGiB(rounds.map(({ download }) => benchOf(download))),
    },
  };
}

function benchOf({ bytes, benchCpuSeconds }: Measured): Pick<Measured, "bytes" | "cpuSeconds"> {
  return { bytes, cpuSeconds: benchCpuSeconds };
}

function perGiB(phases: Pick<Measured, "bytes" | "cpuSeconds">[]): number | undefined {
  let seconds = 0;
  let bytes = 0;
  for (const phase of phases) {
    if (phase.cpuSeconds === undefined) return undefined;
    seconds += phase.cpuSeconds;
    bytes += phase.bytes;
  }
  return bytes === 0 ? undefined : (seconds / bytes) * GiB;
}

/** A target of a run. */
export interface Verdict {
  what: string;
  wanted: string;
  met: boolean;
}

export function judge(summary: Summary, targets: Targets): Verdict[] {
  return [
    judgeRate("upload", summary.uploadMbps, targets.uploadMbps),
    judgeRate("download", summary.downloadMbps, targets.downloadMbps),
    ...(summary.v1 === undefined ? [] : judgeV1(summary.v1, targets)),
  ];
}

/** The targets of protocol v1: compared with the older protocol, and with the ceilings. */
function judgeV1(v1: V1Summary, targets: Targets): Verdict[] {
  const { uploadOfOlder, downloadOfOlder, downloadOfSender, besideMs } = v1;
  return [
    judgeShare("upload over v1 / older protocol", uploadOfOlder, targets.v1UploadOfOlder),
    judgeShare("download over v1 / older protocol", downloadOfOlder, targets.v1DownloadOfOlder),
    ...(downloadOfSender === undefined
      ? []
      : [judgeShare("download over v1 / bare sender", downloadOfSender, targets.v1DownloadOfSender)]),
    {
      what: `p99 of a short read beside long ones of ${besideMs.p99.toFixed(2)} ms`,
      wanted: `${targets.v1BesideP99Ms} ms`,
      met: besideMs.p99 <= targets.v1BesideP99Ms,
    },
  ];
}

function judgeShare(what: string, got: Spread, wanted: number): Verdict {
  return {
    what: `${what}, ${got.median.toFixed(2)} times`,
    wanted: `${wanted} times`,
    met: got.median >= wanted,
  };
}

function judgeRate(what: string, got: Spread, wantedMbps: number): Verdict {
  return {
    what: `${what} of ${got.median.toFixed(0)} Mbit/s`,
    wanted: `${wantedMbps} Mbit/s`,
    met: got.median >= wantedMbps,
  };
}
