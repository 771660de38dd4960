/** Makes tokens for a server, by its own commands. */
import * as v from "valibot";
import { runServerToExit, type TestServer } from "./server.ts";

export interface MadeToken {
  id: string;
  text: string;
  /** For a request with it. */
  headers: Record<string, string>;
}

const limitMs = 20_000;
const createdSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ id: v.string(), token: v.optional(v.string(), "") }),
);

/** Creates a token with these grants; `options` are further arguments. */
export async function createToken(
  { cacheDir }: Pick<TestServer, "cacheDir">,
  grants: readonly string[],
  ...options: string[]
): Promise<MadeToken> {
  const flags = grants.flatMap((grant) => ["--grant", grant]);
  const args = ["token", "create", ...flags, ...options, "--json", "--cache-dir", cacheDir];
  const { code, stdout, stderr } = await runServerToExit(args, {}, limitMs);
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  const { id, token: text } = v.parse(createdSchema, stdout);
  return { id, text, headers: bearer(text) };
}

export async function revokeToken({ cacheDir }: Pick<TestServer, "cacheDir">, id: string): Promise<void> {
  const { code, stderr } = await runServerToExit(
    ["token", "revoke", id, "--cache-dir", cacheDir],
    {},
    limitMs,
  );
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
