/** `pin`: keeps a stream, a recording, or a range of time of a device, whatever the limits of the server. */
import type { CAC } from "cac";
import { pin, type Pinnable } from "../../client/http/retention.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { visible } from "../kit/text.ts";
import { timeOption } from "../recordings/period.ts";

export function registerPin(cli: CAC, context: Context): void {
  const command = cli
    .command(
      "pin [id]",
      "Keep a stream, a recording or a time of a device, whatever the limits of the server",
    )
    .option("--recording <id>", "Pin this recording")
    .option("--device <id>", "Pin what this device (hardware id) records between --from and --to")
    .option("--from <time>", "Beginning of the range, e.g. 2025-01-31T09:05 (UTC without a zone)")
    .option("--to <time>", "End of the range")
    .option("--off", "Unpin instead");
  jsonOption(serverOption(command))
    .example("  $ bun run client pin my-song")
    .example("  $ bun run client pin --device kitchen --from 2025-01-31T09:00 --to 2025-01-31T10:00")
    .action((id: string | undefined, options: Options) => run(id, options, context));
}

async function run(id: string | undefined, options: Options, context: Context): Promise<void> {
  const what = pinnable(id, options);
  const isPinned = !flagOption(options, "off");
  if (!(await pin(what, isPinned, apiSettings(options, context))))
    throw new CliError(`there is no ${nameOf(what)}`, "the commands list and recordings show what there is");
  const line = `${isPinned ? "pinned" : "unpinned"} ${nameOf(what)}`;
  printResult(options, context.terminal, { json: { ...what, pinned: isPinned }, lines: [visible(line)] });
}

function pinnable(stream: string | undefined, options: Options): Pinnable {
  const recording = textOption(options, "recording");
  const device = textOption(options, "device");
  const given = [stream, recording, device].filter((each) => each !== undefined);
  if (given.length !== 1) throw usageError("give one of: the id of a stream, --recording, --device");
  if (stream !== undefined) return { stream };
  if (recording !== undefined) return { recording };
  const from = timeOption(options, "from");
  const to = timeOption(options, "to");
  if (from === undefined || to === undefined) throw usageError("--device needs --from and --to");
  return { device: device!, from, to };
}

function nameOf(what: Pinnable): string {
  if ("stream" in what) return `stream ${what.stream}`;
  if ("recording" in what) return `recording ${what.recording}`;
  return `audio of ${what.device} from ${what.from.toISOString()} to ${what.to.toISOString()}`;
}
