/** `hooks list|failed|replay|test`: the webhooks of a server. */
import type { CAC } from "cac";
import {
  type FailedEvent,
  failedEvents,
  listHooks,
  type ListedHook,
  replayEvents,
  testHook,
} from "../../client/http/hooks.ts";
import { ClientError } from "../../client/errors.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { plural, safeJson, table } from "../kit/text.ts";

export function registerHooks(cli: CAC, context: Context): void {
  const command = cli.command("hooks <action> [name] [id]", "List, test and replay the webhooks of a server");
  jsonOption(serverOption(command))
    .example("  $ bun run client hooks list")
    .example("  $ bun run client hooks test transcribe")
    .example("  $ bun run client hooks failed transcribe")
    .example("  $ bun run client hooks replay transcribe")
    .action((action: string, name: string | undefined, id: string | undefined, options: Options) =>
      hooks({ action, name, id }, options, context),
    );
}

interface Request {
  action: string;
  name: string | undefined;
  /** Of an event. */
  id: string | undefined;
}

async function hooks(request: Request, options: Options, context: Context): Promise<void> {
  const { json, lines } = await resultOf(request, apiSettings(options, context));
  context.terminal.printAll(flagOption(options, "json") ? [safeJson(json)] : lines);
}

interface Result {
  json: object;
  lines: string[];
}

async function resultOf({ action, name, id }: Request, api: ReturnType<typeof apiSettings>): Promise<Result> {
  if (action === "list") {
    const listed = await listHooks(api);
    return { json: { hooks: listed }, lines: tableOfHooks(listed) };
  }
  if (!["failed", "replay", "test"].includes(action))
    throw usageError(`unknown action "${action}"`, "the actions are list, failed, replay and test");
  if (name === undefined) throw usageError("the name of a webhook is missing", "hooks list shows them");
  return await resultOfOne(action, name, id, api);
}

async function resultOfOne(
  action: string,
  name: string,
  id: string | undefined,
  api: ReturnType<typeof apiSettings>,
): Promise<Result> {
  if (action === "failed") {
    const events = await failedEvents(api, name);
    return { json: { events }, lines: tableOfEvents(events) };
  }
  if (action === "replay") {
    const replayed = await replayEvents(api, name, id);
    return { json: { replayed }, lines: [`${replayed} ${plural(replayed, "event")} to deliver again`] };
  }
  const test = await testHook(api, name);
  if (!test.delivered) throw new ClientError("REFUSED", `not delivered: ${test.error}`);
  return { json: test, lines: ["delivered"] };
}

function tableOfHooks(listed: readonly ListedHook[]): string[] {
  const rows = listed.map(
    ({ name, url, delivered, failed, dead, pending, lastError, node, deliversHere }) => {
      return [
        name,
        url,
        ...[delivered, failed, dead, pending].map(String),
        lastError ?? "-",
        deliversHere ? "here" : (node ?? "-"),
      ];
    },
  );
  return table(
    [["NAME", "URL", "DELIVERED", "FAILED", "GIVEN UP", "WAITING", "LAST ERROR", "NODE"], ...rows],
    [2, 3, 4, 5],
  );
}

function tableOfEvents(events: readonly FailedEvent[]): string[] {
  const rows = events.map(({ id, type, subject, time, attempts, error }) => {
    return [id, type, subject, time, String(attempts), error ?? "-"];
  });
  return table([["ID", "TYPE", "SUBJECT", "TIME", "ATTEMPTS", "ERROR"], ...rows], [4]);
}
