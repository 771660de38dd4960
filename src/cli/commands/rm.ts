/** `rm ID`: removes a stream from a server. */
import type { CAC } from "cac";
import { removeStream } from "../../client/streams.ts";
import { type Options } from "../arguments.ts";
import { CliError } from "../failures.ts";
import { visible } from "../text.ts";
import { apiSettings, type Context, serverOption } from "../transfers.ts";

export function registerRm(cli: CAC, context: Context): void {
  serverOption(cli.command("rm <id>", "Remove a stream from the server"))
    .example("  $ bun run client rm my-song")
    .action((id: string, options: Options) => remove(id, options, context));
}

async function remove(id: string, options: Options, context: Context): Promise<void> {
  const removed = await removeStream(id, apiSettings(options, context));
  if (!removed) throw new CliError(`no such stream: ${id}`, "the command list shows which there are");
  context.terminal.print(visible(`removed ${id}`));
}
