/** `share ID`: makes a link with which anybody can play or download a stream until it expires. */
import type { CAC } from "cac";
import { shareStream } from "../../client/http/links.ts";
import { durationExpected, parseDuration } from "../../base/duration.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { jsonOption, type Options, requiredText } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { noSuchStream } from "../streams/catalog.ts";

export function registerShare(cli: CAC, context: Context): void {
  const command = cli
    .command("share <id>", "Make a link with which anybody can play a stream until it expires")
    .option("--expires <duration>", `How long the link is valid: ${durationExpected}`, { default: "7d" });
  jsonOption(serverOption(command))
    .example("  $ bun run client share my-song --expires 7d")
    .action((id: string, options: Options) => share(id, options, context));
}

async function share(id: string, options: Options, context: Context): Promise<void> {
  const expires = requiredText(options, "expires");
  if (parseDuration(expires) === undefined)
    throw usageError(`--expires is "${expires}"`, `give it as ${durationExpected}`);
  const link = await shareStream(id, expires, apiSettings(options, context));
  if (link === undefined) throw noSuchStream(id);
  printResult(options, context.terminal, { json: link, lines: [link.url] });
}
