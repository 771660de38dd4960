/** `rm ID`: removes a stream from a server. */
import type { CAC } from "cac";
import { type Options } from "../kit/arguments.ts";
import { withCatalog } from "../streams/catalog.ts";
import { CliError } from "../kit/failures.ts";
import { visible } from "../kit/text.ts";
import { type Context, protocolOption, serverOption } from "../streams/transfers.ts";

export function registerRm(cli: CAC, context: Context): void {
  protocolOption(serverOption(cli.command("rm <id>", "Remove a stream from the server")))
    .example("  $ bun run client rm my-song")
    .action((id: string, options: Options) => remove(id, options, context));
}

async function remove(id: string, options: Options, context: Context): Promise<void> {
  await withCatalog(options, context, async (catalog) => {
    if (await catalog.remove(id)) return;
    throw new CliError(`no such stream: ${id}`, "the command list shows which there are");
  });
  context.terminal.print(visible(`removed ${id}`));
}
