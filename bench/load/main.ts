/**
 * `bun run bench`: what the server achieves on this machine under the load of many streams, whether that meets the
 * targets, and how close it comes to the limits of the machine. Exit status 1 if a target is missed or anything
 * fails, 2 for an invalid command line.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitFailure } from "../../src/cli/kit/failures.ts";
import { defaultMaxMessageBytes } from "../../src/base/limits/connections.ts";
import { GiB } from "../../src/base/limits/units.ts";
import { runBench, writeReport } from "./command.ts";
import { thisMachine } from "./machine.ts";
import { readSettings, type Settings } from "./options.ts";
import { runPaced } from "./paced.ts";
import { Progress } from "./progress.ts";
import { headLines, pacedLines, summaryLines, verdictLines } from "./report.ts";
import { Rounds } from "./rounds.ts";
import { openSubject, type Subject } from "./server.ts";
import { judge, summarise, type Verdict } from "./summary.ts";
import { Board } from "./transfers.ts";

/** The result of a run: lines for people, figures for programs. */
interface Outcome {
  lines: string[];
  figures: Record<string, unknown>;
  verdicts: Verdict[];
  errors: string[];
}

/** Connections besides those of the streams: the requests that remove streams. */
const spareConnections = 64;

async function runFullSpeed(settings: Settings, subject: Subject, progress: Progress): Promise<Outcome> {
  const board = new Board();
  const result = await new Rounds(settings, subject, temporaryFolder(), board, progress).run();
  const summary = summarise(settings, result);
  const verdicts = judge(summary, settings.targets);
  return {
    lines: [...summaryLines(settings, summary), ...verdictLines(verdicts, board.errors, result.leftStreams)],
    figures: { summary, rounds: result.rounds },
    verdicts,
    errors: board.errors,
  };
}

/** A folder on the disk of the server's cache; removed when this process ends, even by a signal. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wavecache-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function runAtRate(
  settings: Settings,
  rateMbps: number,
  subject: Subject,
  progress: Progress,
): Promise<Outcome> {
  const board = new Board();
  const result = await runPaced(settings, rateMbps, subject, board, progress);
  const { start, get, stop } = result.latencies;
  const getMs = get.percentiles();
  const wantedMs = settings.targets.getP99Ms;
  const what = `p99 of GET of ${getMs.p99.toFixed(2)} ms`;
  const verdicts = [{ what, wanted: `${wantedMs} ms`, met: getMs.p99 <= wantedMs }];
  const latencyMs = {
    start: start.percentiles(),
    get: getMs,
    stop: stop.percentiles(),
    benchLate: result.late.percentiles(),
  };
  const { offeredMbps, upload, download } = result;
  return {
    lines: [...pacedLines(result), ...verdictLines(verdicts, board.errors, result.leftStreams)],
    figures: { offeredMbps, upload, download, latencyMs },
    verdicts,
    errors: board.errors,
  };
}

async function run(settings: Settings): Promise<number> {
  const { server, workers, streams, hasToken } = settings;
  await using subject = await openSubject({
    server,
    workers,
    hasToken,
    maxCacheBytes: Math.max(8 * GiB, 2 * settings.bytesPerStream * streams),
    maxConnections: streams + spareConnections,
    ...(settings.frameBytes > defaultMaxMessageBytes ? { maxMessageBytes: settings.frameBytes } : {}),
  });
  using progress = new Progress();
  const outcome = await (settings.rateMbps === undefined
    ? runFullSpeed(settings, subject, progress)
    : runAtRate(settings, settings.rateMbps, subject, progress));
  progress[Symbol.dispose]();
  const lines = [...headLines(settings, thisMachine(), subject.description), ...outcome.lines];
  process.stdout.write(`${lines.join("\n")}\n`);
  const { figures, verdicts, errors } = outcome;
  const passed = errors.length === 0 && verdicts.every(({ met }) => met);
  await writeReport(settings, { passed, verdicts, errors, ...figures });
  return passed ? 0 : exitFailure;
}

await runBench(readSettings, run);
