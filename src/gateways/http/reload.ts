/** The operation that reads the configuration again. */
import * as v from "valibot";
import { serverResource } from "../../access/actions.ts";
import { json, type Operation, operation } from "./operation.ts";

/** The value of a key of the configuration file, as TOML. */
interface Change {
  key: string;
  from: string;
  to: string;
}

/** What the operation needs of the configuration. */
export interface ConfigReloads {
  /** Rejects with CONFIG_INVALID, HOOK_SECRET_UNUSABLE, ACCESS_UNDECIDED. */
  reload(
    cause: "request",
  ): Promise<{ file: string | undefined; changed: readonly Change[]; needRestart: readonly Change[] }>;
}

const changesSchema = v.array(v.strictObject({ key: v.string(), from: v.string(), to: v.string() }));

const reportSchema = v.strictObject({
  file: v.nullable(v.string()),
  changed: changesSchema,
  needRestart: changesSchema,
});

export function reloadOperation(reloader: ConfigReloads): Operation {
  return operation({
    method: "post",
    route: "/api/admin/reload",
    tag: "server",
    access: { action: "admin", on: serverResource },
    summary: "Reads the configuration again. A mistake changes nothing, and no connection is closed.",
    parameters: {},
    answers: {
      200: { description: "What has changed, and what needs a restart.", schema: reportSchema },
    },
    errors: ["CONFIG_INVALID", "HOOK_SECRET_UNUSABLE", "ACCESS_UNDECIDED"],
    async handle({ principal, meter }) {
      const { file = null, changed, needRestart } = await reloader.reload("request");
      principal.did("admin", "server/config");
      return json({ file, changed: changed.map(describe), needRestart: needRestart.map(describe) }, meter);
    },
  });
}

function describe({ key, from, to }: Change): Change {
  return { key, from, to };
}
