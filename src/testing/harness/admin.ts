/** Runs commands on a server's store: `server backup`, `restore` and `doctor`. */
import { join } from "node:path";
import * as v from "valibot";
import { runServerToExit, type TestServer } from "./server.ts";

const limitMs = 30_000;

const outcomeSchema = v.looseObject({
  command: v.string(),
  problems: v.array(
    v.object({
      code: v.string(),
      subject: v.string(),
      message: v.string(),
      mend: v.optional(v.string()),
      isMended: v.optional(v.boolean()),
    }),
  ),
});

export interface AdminRun extends v.InferOutput<typeof outcomeSchema> {
  code: number;
}

/** Runs a command with `--json`, whose outcome must be one JSON object. */
export async function runAdmin(
  server: Pick<TestServer, "cacheDir" | "folder">,
  ...args: string[]
): Promise<AdminRun> {
  const { code, stdout, stderr } = await runServerToExit(
    [...args, "--json", ...foldersOf(server)],
    {},
    limitMs,
  );
  if (!stdout.startsWith("{")) throw new Error(`exit code ${code}: ${stdout}${stderr}`);
  return { ...v.parse(v.pipe(v.string(), v.parseJson(), outcomeSchema), stdout), code };
}

/** Runs a command that fails as a whole. */
export async function failedAdmin(
  server: Pick<TestServer, "cacheDir" | "folder">,
  ...args: string[]
): Promise<{ code: number; stderr: string }> {
  return await runServerToExit([...args, ...foldersOf(server)], {}, limitMs);
}

function foldersOf({ cacheDir, folder }: Pick<TestServer, "cacheDir" | "folder">): string[] {
  return ["--cache-dir", cacheDir, "--recordings-dir", join(folder, "received")];
}
