/** `recordings`: shows what a server has recorded from devices. */
import type { CAC } from "cac";
import { listRecordings, type ListedRecording } from "../../client/http/recordings.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { listingOptions, printListing } from "../kit/listing.ts";
import { exportPeriod } from "../recordings/export.ts";
import { timeOption } from "../recordings/period.ts";
import { printTimeline } from "../recordings/timeline.ts";
import { humanDuration, humanTime, table } from "../kit/text.ts";

const noun = "recordings";

export function registerRecordings(cli: CAC, context: Context): void {
  const command = cli
    .command(
      "recordings [action] [device]",
      "List the recordings of a server; timeline or export those of a device",
    )
    .option("--device <id>", "Show only recordings of this device (hardware id)")
    .option("--from <time>", "Show only audio from this time on, e.g. 2025-01-31T09:05 (UTC without a zone)")
    .option("--to <time>", "Show only audio up to this time")
    .option("-o, --output <file>", "export: the WAV file to write, or - for standard output")
    .option("--force", "export: overwrite an existing file")
    .option("--gaps <rule>", "export: silence where there is no audio (default), skip, or fail")
    .option("--resample <rate>", "export: the sample rate in Hz, whatever that of the recordings");
  serverOption(listingOptions(command, noun, "id"))
    .example("  $ bun run client recordings")
    .example("  $ bun run client recordings --device kitchen --from 2025-01-31 --json")
    .example("  $ bun run client recordings timeline kitchen --from 2025-01-31")
    .example(
      "  $ bun run client recordings export kitchen --from 2025-01-31T10:00:05 --to 2025-01-31T10:00:27 -o cut.wav",
    )
    .action((action: string | undefined, device: string | undefined, options: Options) =>
      run(action, device, options, context),
    );
}

async function run(
  action: string | undefined,
  device: string | undefined,
  options: Options,
  context: Context,
): Promise<void> {
  if (action === undefined) return await recordings(options, context);
  if (action !== "timeline" && action !== "export")
    throw usageError(`recordings has no action "${action}"`, "use timeline or export, or none for the list");
  if (device === undefined)
    throw usageError("the device is missing", `give it like: recordings ${action} kitchen`);
  if (action === "timeline") return await printTimeline(device, options, context);
  await exportPeriod(device, options, context);
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
