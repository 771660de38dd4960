/** `share ID`: makes a link with which anybody can play or download a stream, or a time of a device, until it expires. */
import type { CAC } from "cac";
import { type SharedLink, sharePeriod, shareStream } from "../../client/http/links.ts";
import { durationExpected, parseDuration } from "../../base/duration.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { jsonOption, type Options, requiredText, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { noAudioOf, periodOption } from "../recordings/period.ts";
import { noSuchStream } from "../streams/catalog.ts";

export function registerShare(cli: CAC, context: Context): void {
  const command = cli
    .command("share <id>", "Make a link with which anybody can play a stream, or a time of a device")
    .option("--from <time>", "Share what the device of this id recorded from then on (UTC without a zone)")
    .option("--to <time>", "Share what it recorded up to then; by default, up to now")
    .option("--expires <duration>", `How long the link is valid: ${durationExpected}`, { default: "7d" });
  jsonOption(serverOption(command))
    .example("  $ bun run client share my-song --expires 7d")
    .example("  $ bun run client share kitchen --from 2025-01-31T09:05 --to 2025-01-31T09:10")
    .action((id: string, options: Options) => share(id, options, context));
}

async function share(id: string, options: Options, context: Context): Promise<void> {
  const expires = requiredText(options, "expires");
  if (parseDuration(expires) === undefined)
    throw usageError(`--expires is "${expires}"`, `give it as ${durationExpected}`);
  const link = await makeLink(id, expires, options, context);
  printResult(options, context.terminal, { json: link, lines: [link.url] });
}

async function makeLink(
  id: string,
  expires: string,
  options: Options,
  context: Context,
): Promise<SharedLink> {
  const api = apiSettings(options, context);
  const isPeriod = ["from", "to"].some((name) => textOption(options, name) !== undefined);
  const link = isPeriod
    ? await sharePeriod(periodOption(options, id), expires, api)
    : await shareStream(id, expires, api);
  if (link === undefined) throw isPeriod ? noAudioOf(id) : noSuchStream(id);
  return link;
}
