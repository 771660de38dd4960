/** `stream --wav FILE`: sends audio like devices with microphones do, on one or many concurrent streams. */
import type { CAC, Command } from "cac";
import { deviceUrl } from "../../client/ingest/format.ts";
import { defaultRetries } from "../../client/limits.ts";
import { bunPlatformOf } from "../../client/transport/bun.ts";
import { maxIngestChannels, maxSampleRate } from "../../wire/ingest.ts";
import { webSocketUrl } from "../connect/address.ts";
import { maxRetries } from "../connect/server-options.ts";
import { tokenOf } from "../connect/access.ts";
import { accessOptions } from "../connect/server-options.ts";
import { trustOf } from "../connect/trust.ts";
import {
  choiceOption,
  countOption,
  flagOption,
  jsonOption,
  type Options,
  requiredText,
  textOption,
} from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { type Coding, openFileTrack, openInputTrack, type OpenTrack } from "../ingest/audio.ts";
import { sendAll, streamLimits } from "../ingest/send.ts";

const defaultPort = 5096;
const defaultPath = "/ws";
const defaultUrl = `ws://localhost:${defaultPort}${defaultPath}`;
const defaultFrameMs = "20";
const defaultRate = "16000";
const defaultChannels = "1";

const maxStreams = 10_000;
const maxStreamId = 0xffffffff;
const maxFrameMs = 1_000;

export function registerStream(cli: CAC, context: Context): void {
  const command = cli.command("stream", "Send audio like a device does, for the server to record");
  jsonOption(accessOptions(sendOptions(audioOptions(command))))
    .example("  $ bun run client stream --wav speech.wav --realtime")
    .example("  $ bun run client stream --wav song.wav --codec pcm --hwid AA:BB:CC:DD:EE:FF")
    .example("  $ bun run client stream --wav speech.wav --streams 100 --realtime --loop")
    .example("  $ arecord -t raw -f S16_LE -r 16000 -c 1 | bun run client stream --wav - --hwid kitchen")
    .action((options: Options) => stream(options, context));
}

function audioOptions(command: Command): Command {
  return command
    .option("--wav <file>", "WAV file to send, or - for standard input (WAV, or raw 16-bit samples)")
    .option("--loop", "Repeat the file until Ctrl-C")
    .option("--codec <codec>", "adpcm or pcm", { default: "adpcm" })
    .option("--nibbles <order>", "ADPCM nibble of the earlier sample in a byte: low or high", {
      default: "low",
    })
    .option("--frame-ms <ms>", "Length of a frame in milliseconds", { default: defaultFrameMs })
    .option("--rate <hz>", `Sample rate of raw standard input (default: ${defaultRate})`)
    .option("--channels <count>", `Channels of raw standard input (default: ${defaultChannels})`);
}

function sendOptions(command: Command): Command {
  return command
    .option("-s, --url <url>", "Address of the server's live ingest: ws://, http://, or HOST:PORT", {
      default: defaultUrl,
    })
    .option("--hwid <id>", "Hardware id of the device")
    .option("--streams <count>", "Number of concurrent streams, each on its own connection", { default: "1" })
    .option("--stream-id-base <number>", "Id of the first stream; the others have the next ids", {
      default: "1",
    })
    .option("--realtime", "Send at playback speed (default: as fast as the server accepts)")
    .option("--retries <count>", "Reconnections in a row before a stream gives up", {
      default: String(defaultRetries),
    });
}

async function stream(options: Options, context: Context): Promise<void> {
  const url = deviceUrl(
    webSocketUrl("url", requiredText(options, "url"), defaultPort, defaultPath),
    textOption(options, "hwid"),
  );
  const streams = countOption(options, "streams", 1, maxStreams);
  const firstStreamId = countOption(options, "stream-id-base", 0, maxStreamId - streams + 1);
  const retries = countOption(options, "retries", 0, maxRetries);
  const realtime = flagOption(options, "realtime");
  const { track, close } = await openTrack(options, streams, context.signal);
  try {
    const platform = bunPlatformOf(trustOf(options), tokenOf(options));
    const common = { platform, url, track, realtime, retry: { retries }, limits: streamLimits(streams) };
    await sendAll({ format: track.format, streams, firstStreamId, realtime, url }, common, options, context);
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
  if (path === undefined) {
    throw usageError("no audio to send", "give a WAV file with --wav FILE, or - for standard input");
  }
  if (path !== "-") {
    refuseRawFormat(options);
    return openFileTrack(path, coding, loop);
  }
  if (loop) throw usageError("--loop needs a file", "standard input cannot be rewound");
  if (streams > 1) throw usageError("--streams needs a file", "standard input feeds a single stream");
  return openInputTrack(coding, rawFormatOf(options), stop);
}

function refuseRawFormat(options: Options): void {
  if (textOption(options, "rate") === undefined && textOption(options, "channels") === undefined) return;
  throw usageError("--rate and --channels are for --wav -", "a WAV file has its own");
}

/** Neither option declares a default to cac, because `refuseRawFormat` must see whether the user gave it. */
function rawFormatOf(options: Options): { sampleRate: number; channels: number } {
  const given = {
    rate: textOption(options, "rate") ?? defaultRate,
    channels: textOption(options, "channels") ?? defaultChannels,
  };
  return {
    sampleRate: countOption(given, "rate", 1, maxSampleRate),
    channels: countOption(given, "channels", 1, maxIngestChannels),
  };
}
