/** `rm ID`: removes a stream from a server. */
import type { CAC } from "cac";
import { protocolOption, serverOption } from "../connect/server-options.ts";
import { jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { printResult } from "../kit/results.ts";
import { visible } from "../kit/text.ts";
import { noSuchStream, withCatalog } from "../streams/catalog.ts";

export function registerRm(cli: CAC, context: Context): void {
  jsonOption(protocolOption(serverOption(cli.command("rm <id>", "Remove a stream from the server"))))
    .example("  $ bun run client rm my-song")
    .action((id: string, options: Options) => remove(id, options, context));
}

async function remove(id: string, options: Options, context: Context): Promise<void> {
  await withCatalog(options, context, async (catalog) => {
    if (!(await catalog.remove(id))) throw noSuchStream(id);
  });
  printResult(options, context.terminal, { json: { removed: id }, lines: [visible(`removed ${id}`)] });
}
