/** `recordings`: what a server has recorded. */
import type { CAC } from "cac";
import { listRecordings, type ListedRecording } from "../../client/http/recordings.ts";
import { countOption, flagOption, type Options, textOption } from "../kit/arguments.ts";
import { usageError } from "../kit/failures.ts";
import { humanDuration, humanTime, safeJson, table } from "../kit/text.ts";
import { apiSettings, type Context, jsonOption, serverOption } from "../streams/transfers.ts";

const defaultLimit = "100";
const maxLimit = 1_000_000;
/** Recordings asked for at once; the server may give fewer. */
const pageRecordings = 500;

export function registerRecordings(cli: CAC, context: Context): void {
  const command = cli
    .command("recordings", "List what a server has recorded")
    .option("--device <id>", "Only of this device (hardware id)")
    .option("--from <time>", "Only from this time on, such as 2025-01-31T09:05 (UTC where no zone is given)")
    .option("--to <time>", "Only up to this time")
    .option("--limit <count>", "Recordings to show at most", { default: defaultLimit })
    .option("--after <id>", "Begin behind this recording");
  jsonOption(serverOption(command))
    .example("  $ bun run client recordings")
    .example("  $ bun run client recordings --device kitchen --from 2025-01-31 --json")
    .action((options: Options) => recordings(options, context));
}

interface Found {
  recordings: ListedRecording[];
  next: string | null;
}

async function recordings(options: Options, context: Context): Promise<void> {
  const found = await collect(options, context);
  if (flagOption(options, "json")) {
    context.terminal.print(safeJson(found));
    return;
  }
  for (const line of lines(found.recordings)) context.terminal.print(line);
  if (found.next !== null) context.terminal.note(`there are more: go on with --after ${found.next}`);
}

/** Pages until the limit is reached or the list ends. */
async function collect(options: Options, context: Context): Promise<Found> {
  const limit = countOption(options, "limit", 1, maxLimit);
  const filter = {
    ...apiSettings(options, context),
    device: textOption(options, "device"),
    from: timeOption(options, "from"),
    to: timeOption(options, "to"),
  };
  const found: ListedRecording[] = [];
  let after = textOption(options, "after");
  while (found.length < limit) {
    const ask = Math.min(limit - found.length, pageRecordings);
    const page = await listRecordings({ ...filter, limit: ask, after });
    found.push(...page.recordings);
    // A page without recordings that names a next one would be asked for again for ever.
    if (page.next === null || page.recordings.length === 0) return { recordings: found, next: null };
    after = page.next;
  }
  return { recordings: found, next: after ?? null };
}

/** A time in ISO 8601, in UTC where it names no zone: so that what the table shows can be given back. */
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

function lines(found: readonly ListedRecording[]): string[] {
  if (found.length === 0) return ["no recordings"];
  const head = ["ID", "DEVICE", "STREAM", "STARTED", "LENGTH", "FORMAT", "LOST", "FILE"];
  return table([head, ...found.map(row)], [4, 6]);
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
    recording.wav.path,
  ];
}
