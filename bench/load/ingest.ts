/**
 * `bun run bench:ingest`: devices send live audio in real time to a server that this starts, all on this machine. Exit
 * status 1 if a frame is lost. With `--find-max` it searches the largest number of devices that holds.
 */
import { cac } from "cac";
import { countOption, flagOption, textOption } from "../../src/cli/kit/arguments.ts";
import { exitFailure } from "../../src/cli/kit/failures.ts";
import { table } from "../../src/cli/kit/text.ts";
import { readConfig } from "../../src/config/config.ts";
import { numberOption, readCommandLine, runBench, writeReport } from "./command.ts";
import { besideEventsLines, measureBesideEvents } from "./beside-events.ts";
import { type Attempt, findMax, type SearchResult } from "./find-max.ts";
import { type IngestResult, type IngestSettings, measureIngest } from "./ingest-load.ts";
import { thisMachine } from "./machine.ts";
import { Progress } from "./progress.ts";
import { insideLines } from "./report.ts";

interface Settings extends IngestSettings {
  findMax: boolean;
  lateMs: number;
  /** A generator that is later than this does not offer the load that it reports. */
  generatorLateMs: number;
  max: number;
  minutes: number;
  /** 0 to measure ingest alone. */
  events: number;
  json: string | undefined;
}

interface IngestAttempt extends Attempt {
  recordedFrames: number;
  sentFrames: number;
  lateMs: number;
  generatorLateMs: number;
  serverCpu: number;
  generatorCpu: number;
}

const maxStreams = 20_000;
const maxEventsPerSecond = 100_000;
/** The search ends once the gap between a load that holds and one that fails is this share of it. */
const precision = 0.05;
const maxAttempts = 24;
/** A generator that is busier than this is close to being the limit. */
const generatorLimitCpu = 0.9;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:ingest");
  cli
    .command("[...rest]", "Record many live streams")
    .usage("[options]\n\nSends many live streams in real time and verifies every frame that was recorded.")
    .option("--streams <count>", "Devices at once; the first number that --find-max tries", {
      default: "1500",
    })
    .option("--seconds <count>", "Sending time", { default: "30" })
    .option("--frame-ms <count>", "Duration of a frame", { default: "20" })
    .option("--workers <count>", "Workers of the server", { default: String(readConfig([], {})!.workers) })
    .option("--find-max", "Search the largest number of devices that holds")
    .option("--late-ms <count>", "Find: maximum delay of a frame's write", { default: "1000" })
    .option("--generator-late-ms <count>", "Find: maximum lateness of the generator", { default: "100" })
    .option("--most <count>", "Find: largest number of devices to try", { default: String(maxStreams) })
    .option("--minutes <count>", "Find: start no attempt after this time", { default: "20" })
    .option("--events <count>", "Compare with ingest beside so many events a second", { default: "0" })
    .option("--json <file>", "Write all figures to this file")
    .example("  $ bun run bench:ingest --find-max --seconds 10");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, maxStreams),
    seconds: countOption(options, "seconds", 1, 3600),
    frameMs: countOption(options, "frame-ms", 10, 200),
    workers: countOption(options, "workers", 1, 64),
    findMax: flagOption(options, "find-max"),
    lateMs: countOption(options, "late-ms", 1, 60_000),
    generatorLateMs: countOption(options, "generator-late-ms", 1, 60_000),
    max: countOption(options, "most", 1, maxStreams),
    minutes: numberOption(options, "minutes", 24 * 60),
    events: countOption(options, "events", 0, maxEventsPerSecond),
    json: textOption(options, "json"),
  }));
}

function ms(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "-" : `${value.toFixed(0)} ms`;
}

function machineText(): string {
  const { processors, model } = thisMachine();
  return `${processors} processors, ${model}`;
}

function report(settings: IngestSettings, result: IngestResult): string[] {
  const { delaysMs, usage, idleBytes } = result;
  const quantile = (part: number) =>
    delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * part))];
  return [
    ...table([
      ["machine", `${machineText()}, load ${result.load.toFixed(2)} at the end`],
      [
        "streams",
        `${settings.streams} of mono ADPCM at 16 kHz, frames of ${settings.frameMs} ms, ${settings.seconds} s`,
      ],
      ["frames recorded", `${result.recordedFrames} of ${result.sentFrames}`],
      [
        "sent and not yet written",
        `p50 ${ms(quantile(0.5))}, p99 ${ms(quantile(0.99))}, max ${ms(delaysMs.at(-1))}`,
      ],
      ["generator late", `${ms(result.generatorLateMs)} at most`],
      ["server's processor time", perSecond(usage.cpuSeconds, settings.seconds)],
      ["generator's", perSecond(usage.benchCpuSeconds, settings.seconds)],
      ["server's own memory", memoryText(usage.peakOwnBytes, idleBytes, settings.streams)],
    ]),
    ...insideLines({ recording: usage.inside }),
  ];
}

function perSecond(cpuSeconds: number | undefined, seconds: number): string {
  return cpuSeconds === undefined ? "not known" : `${(cpuSeconds / seconds).toFixed(2)} s a second`;
}

function memoryText(peak: number | undefined, idle: number | undefined, streams: number): string {
  if (peak === undefined || idle === undefined) return "not known";
  return `${((peak - idle) / streams / 1024).toFixed(0)} KiB a stream over idle`;
}

async function tryStreams(settings: Settings, streams: number): Promise<IngestAttempt> {
  try {
    return judgeAttempt(settings, streams, await measureIngest({ ...settings, streams }));
  } catch (error) {
    // A server that fails under this load does not hold it.
    const why = error instanceof Error ? error.message : String(error);
    return { ...unknownAttempt, streams, why };
  }
}

const unknownAttempt: Omit<IngestAttempt, "streams" | "why"> = {
  outcome: "failed",
  recordedFrames: 0,
  sentFrames: 0,
  lateMs: Number.NaN,
  generatorLateMs: Number.NaN,
  serverCpu: Number.NaN,
  generatorCpu: Number.NaN,
};

/** The result of an attempt. */
function judgeAttempt(settings: Settings, streams: number, result: IngestResult): IngestAttempt {
  const { sentFrames, recordedFrames, generatorLateMs, usage } = result;
  const lateMs = result.delaysMs.at(-1) ?? 0;
  const generatorCpu = usage.benchCpuSeconds / settings.seconds;
  const why: string[] = [];
  if (result.faults.length > 0) why.push(`${sentFrames - recordedFrames} frames not as they were sent`);
  if (lateMs > settings.lateMs) why.push(`a frame was ${ms(lateMs)} late`);
  const isSlow = generatorLateMs > settings.generatorLateMs || generatorCpu > generatorLimitCpu;
  if (isSlow) why.push(`the generator was ${ms(generatorLateMs)} late, ${percent(generatorCpu)} busy`);
  return {
    streams,
    outcome: isSlow ? "generator" : why.length > 0 ? "failed" : "held",
    why: why.join("; "),
    recordedFrames,
    sentFrames,
    lateMs,
    generatorLateMs,
    serverCpu: (usage.cpuSeconds ?? 0) / settings.seconds,
    generatorCpu,
  };
}

function percent(share: number): string {
  return Number.isNaN(share) ? "-" : `${(share * 100).toFixed(0)} %`;
}

function searchLines(settings: Settings, result: SearchResult<IngestAttempt>): string[] {
  const rows = result.attempts.map((attempt) => [
    String(attempt.streams),
    `${attempt.recordedFrames} of ${attempt.sentFrames}`,
    ms(attempt.lateMs),
    percent(attempt.serverCpu),
    ms(attempt.generatorLateMs),
    percent(attempt.generatorCpu),
    attempt.outcome === "held" ? "holds" : attempt.why,
  ]);
  const head = [
    "DEVICES",
    "frames recorded",
    "latest",
    "server busy",
    "generator late",
    "generator busy",
    "",
  ];
  return [
    `Machine: ${machineText()}; ${settings.seconds} s each, frames of ${settings.frameMs} ms, ` +
      `written at most ${settings.lateMs} ms late`,
    "",
    ...table([head, ...rows], [0, 1, 2, 3, 4, 5]),
    "",
    conclusion(settings, result),
  ];
}

function conclusion(settings: Settings, { best, limit, isComplete }: SearchResult<IngestAttempt>): string {
  const held = best === undefined ? "No number that was tried holds" : `${best.streams} devices hold`;
  if (!isComplete) return `${held}; the search was not finished, as its time or its attempts were used up`;
  if (limit === undefined) return `${held}; more were not tried (--most ${settings.max})`;
  if (limit.outcome === "generator")
    return `${held}; at ${limit.streams} the generator was the limit, so the server may hold more: ${limit.why}`;
  return `${held}; ${limit.streams} do not: ${limit.why}`;
}

async function search(settings: Settings): Promise<number> {
  using progress = new Progress();
  const end = performance.now() + settings.minutes * 60_000;
  const bounds = {
    from: settings.streams,
    max: settings.max,
    precision,
    maxAttempts,
    isTimeUp: () => performance.now() >= end,
  };
  const result = await findMax(bounds, async (streams) => {
    progress.phase(`${streams} devices for ${settings.seconds} s`);
    return await tryStreams(settings, streams);
  });
  progress[Symbol.dispose]();
  process.stdout.write(`${searchLines(settings, result).join("\n")}\n`);
  await writeReport(settings, { ...result });
  return result.best === undefined ? exitFailure : 0;
}

async function measureOnce(settings: Settings): Promise<number> {
  const result = await measureIngest(settings);
  process.stdout.write(`${report(settings, result).join("\n")}\n`);
  for (const fault of result.faults.slice(0, 20)) process.stderr.write(`${fault}\n`);
  await writeReport(settings, { result });
  return result.faults.length > 0 ? exitFailure : 0;
}

async function compare(settings: Settings): Promise<number> {
  const results = await measureBesideEvents(settings, settings.events);
  process.stdout.write(`${besideEventsLines(results, settings, settings.events).join("\n")}\n`);
  await writeReport(settings, { ...results });
  const faults = [...results.alone, ...results.beside].flatMap((result) => result.faults);
  for (const fault of faults.slice(0, 20)) process.stderr.write(`${fault}\n`);
  return faults.length > 0 ? exitFailure : 0;
}

await runBench(readSettings, (settings) => {
  if (settings.events > 0) return compare(settings);
  return settings.findMax ? search(settings) : measureOnce(settings);
});
