/** Runs a command on tokens and prints what it has done. */
import { mkdirSync } from "node:fs";
import { newToken } from "../../access/tokens.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { CommandCatalog } from "../../store/catalog-reader.ts";
import { CacheLayout } from "../../store/layout.ts";
import type { TokenRow } from "../../store/tokens/catalog.ts";
import { withCatalog } from "../open-catalog.ts";
import { openFolder } from "../store-folder.ts";
import type { TokenCommand } from "./command.ts";

/** Throws an error of the table if the command cannot do its work. */
export async function runTokenCommand(command: TokenCommand): Promise<void> {
  const { name, cacheDir } = command;
  const layout = name === "create" ? createFolder(cacheDir) : openFolder(cacheDir);
  await withCatalog(layout, command.catalog, (catalog) => run(command, catalog));
}

/** The first token may be older than the first start of the server. */
function createFolder(cacheDir: string): CacheLayout {
  const layout = new CacheLayout(cacheDir);
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  layout.create();
  return layout;
}

async function run(command: TokenCommand, catalog: CommandCatalog): Promise<void> {
  switch (command.name) {
    case "create":
      return await create(command, catalog);
    case "list":
      return printList(await catalog.call("listTokens", null), command.json);
    case "revoke":
      return await revoke(command.id, catalog);
  }
}

/** The token alone goes to standard output, for scripts. */
async function create(
  { spec, json }: Extract<TokenCommand, { name: "create" }>,
  catalog: CommandCatalog,
): Promise<void> {
  const { row, text } = newToken(spec);
  await catalog.call("saveToken", row);
  const isShown = spec.certificate === undefined;
  if (json) return print(JSON.stringify({ ...describe(row), ...(isShown ? { token: text } : {}) }));
  const allowed = `token ${row.id} allows ${row.grants}${expiryOf(row)}`;
  if (!isShown) return print(`${allowed} to whoever has the key of the certificate`);
  process.stderr.write(`${allowed}; it is not shown again, and can be revoked by its id\n`);
  print(text);
}

async function revoke(id: string, catalog: CommandCatalog): Promise<void> {
  const isRevoked = await catalog.call("revokeToken", { id, at: Date.now() });
  if (!isRevoked) throw new WavecacheError("TOKEN_UNKNOWN");
  print(`token ${id} is revoked`);
}

function printList(rows: readonly TokenRow[], asJson: boolean): void {
  if (asJson) return print(JSON.stringify(rows.map(describe)));
  if (rows.length === 0) return print("no tokens");
  const width = Math.max(...rows.map(({ grants }) => grants.length));
  for (const row of rows) {
    const used = row.usedAt === null ? "never used" : `used ${dateOf(row.usedAt)}`;
    const note = row.note === "" ? "" : `  ${JSON.stringify(row.note)}`;
    print(`${row.id}  ${row.grants.padEnd(width)}  ${used}${endOf(row)}${note}`);
  }
}

function endOf(row: TokenRow): string {
  return row.revokedAt === null ? expiryOf(row) : `, revoked ${dateOf(row.revokedAt)}`;
}

function expiryOf({ expiresAt }: TokenRow): string {
  if (expiresAt === null) return "";
  return `, ${expiresAt <= Date.now() ? "expired" : "expires"} ${dateOf(expiresAt)}`;
}

function describe(row: TokenRow): Record<string, unknown> {
  const { id, grants, limits, note, createdAt, expiresAt, usedAt, revokedAt } = row;
  return {
    id,
    grants: grants.split(" "),
    limits,
    note,
    createdAt: dateOf(createdAt),
    expiresAt: expiresAt && dateOf(expiresAt),
    usedAt: usedAt && dateOf(usedAt),
    revokedAt: revokedAt && dateOf(revokedAt),
  };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
