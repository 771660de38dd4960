/** `sessions`: who is signed in to a server with a browser. `sessions end ID` signs somebody out. */
import type { CAC } from "cac";
import { endSession, listSessions, type ListedSession } from "../../client/http/sessions.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { humanTime, table, visible } from "../kit/text.ts";

export function registerSessions(cli: CAC, context: Context): void {
  const command = cli.command(
    "sessions [action] [id]",
    "List who is signed in to a server, or end a session",
  );
  jsonOption(serverOption(command))
    .example("  $ bun run client sessions")
    .example("  $ bun run client sessions end 4f1c2a9be07d3358")
    .action((action: string | undefined, id: string | undefined, options: Options) =>
      run(action, id, options, context),
    );
}

async function run(
  action: string | undefined,
  id: string | undefined,
  options: Options,
  context: Context,
): Promise<void> {
  const api = apiSettings(options, context);
  if (action === undefined) {
    const sessions = await listSessions(api);
    return printResult(options, context.terminal, { json: { sessions }, lines: linesOf(sessions) });
  }
  if (action !== "end")
    throw usageError(`sessions has no action "${action}"`, "use end, or none for the list");
  if (id === undefined) throw usageError("the id of a session is missing", "sessions shows the ids");
  if (!(await endSession(id, api))) throw new CliError(`no such session: ${id}`, "sessions shows the ids");
  const result: CommandResult = { json: { ended: id }, lines: [visible(`ended ${id}`)] };
  printResult(options, context.terminal, result);
}

function linesOf(sessions: readonly ListedSession[]): string[] {
  if (sessions.length === 0) return ["nobody is signed in"];
  return table([["ID", "WHO", "SINCE", "LAST USED", "FROM", "BROWSER"], ...sessions.map(row)]);
}

function row({ id, principal, openedAt, usedAt, address, agent }: ListedSession): string[] {
  return [id, principal, humanTime(openedAt), humanTime(usedAt), address, agent];
}
