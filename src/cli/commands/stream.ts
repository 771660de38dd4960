/** `stream --wav FILE`: sends audio as devices with microphones do, by one stream or many at once. */
import type { CAC } from "cac";
import { bunPlatformOf } from "../../client/transport/bun.ts";
import { deviceUrl } from "../../client/ingest/format.ts";
import { type IngestOptions, IngestStream } from "../../client/ingest/stream.ts";
import { defaultRetries, ingestHighWaterBytes } from "../../client/limits.ts";
import { maxIngestChannels, maxSampleRate } from "../../wire/ingest.ts";
import { KiB, MiB } from "../../base/limits/units.ts";
import {
  choiceOption,
  countOption,
  flagOption,
  type Options,
  requiredText,
  textOption,
} from "../kit/arguments.ts";
import { usageError } from "../kit/failures.ts";
import { type Coding, openFileTrack, openInputTrack, type OpenTrack } from "../ingest/audio.ts";
import { fleetTotals, runFleet } from "../ingest/fleet.ts";
import { failureAmong, type LineBefore, liveLine, type Run, summary } from "../ingest/report.ts";
import { humanDuration } from "../kit/text.ts";
import type { Context } from "../streams/transfers.ts";
import { trustOf, trustOptions } from "../streams/trust.ts";

const defaultUrl = "ws://localhost:5096/ws";
const defaultFrameMs = "20";
const defaultRate = "16000";
const defaultChannels = "1";

const maxStreams = 10_000;
const maxStreamId = 0xffffffff;
const maxFrameMs = 1_000;
const maxRetries = 1_000;

const lineMs = 1_000;
/** Lost connections that are told between two lines; more of them are in the count of the line. */
const maxNotices = 5;
/** How long goodbyes may take once the user wants the program to end. */
const stopGraceMs = 2_000;

/** Bytes that may wait in all sockets together, and what each may have in any case. */
const totalHighWaterBytes = 64 * MiB;
const minHighWaterBytes = 16 * KiB;

export function registerStream(cli: CAC, context: Context): void {
  const command = cli
    .command("stream", "Send audio as devices do, to be recorded")
    .option("--wav <file>", "WAV file to send, or - for standard input (WAV, or raw 16-bit samples)")
    .option("--url <url>", "Address of the server's live ingest", { default: defaultUrl })
    .option("--hwid <id>", "Hardware id of the device")
    .option("--codec <codec>", "adpcm or pcm", { default: "adpcm" })
    .option("--nibbles <order>", "Half of a byte that holds the earlier sample of adpcm: low or high", {
      default: "low",
    })
    .option("--frame-ms <ms>", "Length of a frame", { default: defaultFrameMs })
    .option("--streams <count>", "Streams at once, each with a connection of its own", { default: "1" })
    .option("--stream-id-base <number>", "Stream id of the first stream; the others count on", {
      default: "1",
    })
    .option("--realtime", "Send as fast as the audio plays, not as fast as the server takes it")
    .option("--loop", "Begin again at the end of the file, until Ctrl-C")
    .option("--rate <hz>", `Samples a second of raw standard input (default: ${defaultRate})`)
    .option("--channels <count>", `Channels of raw standard input (default: ${defaultChannels})`)
    .option("--retries <count>", "Reconnections in a row before a stream gives up", {
      default: String(defaultRetries),
    });
  trustOptions(command)
    .example("  $ bun run client stream --wav speech.wav --realtime")
    .example("  $ bun run client stream --wav song.wav --codec pcm --hwid AA:BB:CC:DD:EE:FF")
    .example("  $ bun run client stream --wav speech.wav --streams 100 --realtime --loop")
    .example("  $ arecord -t raw -f S16_LE -r 16000 -c 1 | bun run client stream --wav - --hwid kitchen")
    .action((options: Options) => stream(options, context));
}

async function stream(options: Options, context: Context): Promise<void> {
  const url = deviceUrl(requiredText(options, "url"), textOption(options, "hwid"));
  const streams = countOption(options, "streams", 1, maxStreams);
  const firstStreamId = countOption(options, "stream-id-base", 0, maxStreamId - streams + 1);
  const retries = countOption(options, "retries", 0, maxRetries);
  const realtime = flagOption(options, "realtime");
  const { track, close } = await openTrack(options, streams, context.signal);
  try {
    const highWaterBytes = Math.max(
      minHighWaterBytes,
      Math.min(ingestHighWaterBytes, Math.floor(totalHighWaterBytes / streams)),
    );
    const common = { platform: bunPlatformOf(trustOf(options)), url, track, realtime, retry: { retries } };
    const limits = { highWaterBytes, lowWaterBytes: Math.floor(highWaterBytes / 4) };
    const run = { format: track.format, streams, firstStreamId, realtime, url };
    await send(run, { ...common, limits }, context);
  } finally {
    await close();
  }
}

function openTrack(options: Options, streams: number, stop: AbortSignal): Promise<OpenTrack> {
  const coding: Coding = {
    codec: choiceOption(options, "codec", ["adpcm", "pcm"]) ?? "adpcm",
    nibbles: choiceOption(options, "nibbles", ["low", "high"]) ?? "low",
    frameMs: countOption(options, "frame-ms", 1, maxFrameMs),
  };
  const path = textOption(options, "wav");
  const loop = flagOption(options, "loop");
  const rate = textOption(options, "rate");
  const channels = textOption(options, "channels");
  if (path === undefined) {
    throw usageError("no audio to send", "give a WAV file with --wav FILE, or - for standard input");
  }
  if (path !== "-") {
    if (rate !== undefined || channels !== undefined) {
      throw usageError("--rate and --channels are for --wav -", "a WAV file says both itself");
    }
    return openFileTrack(path, coding, loop);
  }
  if (loop) throw usageError("--loop needs a file", "standard input has no beginning to go back to");
  if (streams > 1) throw usageError("--streams needs a file", "standard input goes into one stream");
  const raw = { rate: rate ?? defaultRate, channels: channels ?? defaultChannels };
  const sampleRate = countOption(raw, "rate", 1, maxSampleRate);
  return openInputTrack(
    coding,
    { sampleRate, channels: countOption(raw, "channels", 1, maxIngestChannels) },
    stop,
  );
}

/** Sends by all streams, with a line a second, and throws what went wrong after the summary. */
async function send(
  run: Run,
  common: Omit<IngestOptions, "streamId" | "stop" | "signal" | "onRetry">,
  context: Context,
): Promise<void> {
  const { terminal, signal: stop } = context;
  const end = abortAfter(stop, stopGraceMs);
  let notices = 0;
  const streams = Array.from({ length: run.streams }, (_, index) => {
    const streamId = run.firstStreamId + index;
    const onRetry: IngestOptions["onRetry"] = ({ error, delayMs, retry, retries }) => {
      if (++notices > maxNotices) return;
      const again = `trying again in ${humanDuration(delayMs)} (${retry} of ${retries})`;
      terminal.note(`stream ${streamId}: ${error.message}; ${again}`);
    };
    return new IngestStream({ ...common, streamId, stop, signal: end.signal, onRetry });
  });
  const startMs = performance.now();
  const line = terminal.live();
  let before: LineBefore = { samples: 0, elapsedMs: 0 };
  const timer = setInterval(() => {
    const totals = fleetTotals(streams);
    const elapsedMs = performance.now() - startMs;
    line.show(liveLine(run, totals, elapsedMs, before));
    before = { samples: totals.samples, elapsedMs };
    notices = 0;
  }, lineMs);
  try {
    const outcomes = await runFleet(streams, stop);
    const elapsedMs = performance.now() - startMs;
    line.end();
    for (const text of summary(run, fleetTotals(streams), outcomes, elapsedMs)) terminal.print(text);
    stop.throwIfAborted();
    const failure = failureAmong(outcomes);
    if (failure !== undefined) throw failure;
  } finally {
    clearInterval(timer);
    end.cancel();
  }
}

/** A signal that aborts a while after another one, for the same reason. */
function abortAfter(stop: AbortSignal, graceMs: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = () => {
    timer = setTimeout(() => controller.abort(stop.reason), graceMs);
  };
  stop.addEventListener("abort", begin);
  const cancel = () => {
    stop.removeEventListener("abort", begin);
    clearTimeout(timer);
  };
  return { signal: controller.signal, cancel };
}
