/** `recordings`: shows what a server has recorded from devices. */
import type { CAC } from "cac";
import { listRecordings, type ListedRecording } from "../../client/http/recordings.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { listingOptions, printListing } from "../kit/listing.ts";
import { humanDuration, humanTime, table } from "../kit/text.ts";

const noun = "recordings";

export function registerRecordings(cli: CAC, context: Context): void {
  const command = cli
    .command("recordings", "List the recordings of a server")
    .option("--device <id>", "Show only recordings of this device (hardware id)")
    .option("--from <time>", "Show only audio from this time on, e.g. 2025-01-31T09:05 (UTC without a zone)")
    .option("--to <time>", "Show only audio up to this time");
  serverOption(listingOptions(command, noun, "id"))
    .example("  $ bun run client recordings")
    .example("  $ bun run client recordings --device kitchen --from 2025-01-31 --json")
    .action((options: Options) => recordings(options, context));
}

async function recordings(options: Options, context: Context): Promise<void> {
  const filter = {
    ...apiSettings(options, context),
    device: textOption(options, "device"),
    from: timeOption(options, "from"),
    to: timeOption(options, "to"),
  };
  const fetchPage = async (limit: number, after: string | undefined) => {
    const page = await listRecordings({ ...filter, limit, after });
    return { items: page.recordings, next: page.next };
  };
  await printListing({ noun, fetchPage, tableOf, cursorText: (id) => id }, options, context.terminal);
}

/** Parses ISO 8601, in UTC without a zone. Also accepts the format of the table, for copy and paste. */
function timeOption(options: Options, name: string): Date | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(UTC|Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const [, day = "", time = "00:00", zone = "Z"] = match ?? [];
  const date = new Date(`${day}T${time}${zone === "UTC" ? "Z" : zone}`);
  if (!Number.isNaN(date.getTime())) return date;
  throw usageError(`--${name} is no time: "${text}"`, "give it like 2025-01-31T09:05 or 2025-01-31");
}

function tableOf(recordings: readonly ListedRecording[]): string[] {
  const head = ["ID", "DEVICE", "STREAM", "STARTED", "LENGTH", "FORMAT", "LOST", "FILE"];
  return table([head, ...recordings.map(row)], [4, 6]);
}

function row(recording: ListedRecording): string[] {
  const { codec, sampleRate, channels, samples } = recording;
  return [
    String(recording.id),
    recording.device ?? "-",
    String(recording.streamId),
    humanTime(recording.startedAt),
    humanDuration(sampleRate === 0 ? 0 : (samples * 1000) / sampleRate),
    `${codec} ${sampleRate} Hz x${channels}`,
    String(recording.lostFrames),
    recording.missing?.includes("wav") === true ? `${recording.wav.path} (missing)` : recording.wav.path,
  ];
}
