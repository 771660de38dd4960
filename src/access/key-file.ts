/** Files that hold secrets: keys of links, and of JWTs. */
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode, WavecacheError } from "../base/errors.ts";
import { maxKeyFileBytes } from "../base/limits/access.ts";
import { permitsMoreThan } from "../base/system/file-mode.ts";
import type { Log } from "../base/log/log.ts";

/** A group may read a key: some systems keep keys in a group of their own. */
const widestMode = 0o640;

/** Throws CREDENTIALS_UNUSABLE, which names the file. */
export async function readKeyFile(path: string, log: Log): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxKeyFileBytes) throw unusable(`${path} is too large`);
    if (permitsMoreThan(path, widestMode))
      log.warn("other users of this machine can read a key; chmod 600 keeps it to its owner", { path });
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof WavecacheError) throw error;
    throw unusable(`${path} cannot be read (${systemCode(error) ?? String(error)})`);
  }
}

/**
 * Writes a new file, which its owner alone can read from its creation on. An existing file stays as it is. Whatever
 * fails, or ends the process, leaves no part of a key under the name.
 */
export async function createKeyFile(path: string, text: string): Promise<void> {
  if (existsSync(path)) return;
  const draft = `${path}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeDurably(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw unusable(`${path} cannot be written (${systemCode(error)})`);
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  // A draft of a start that was killed may have another mode.
  await rm(path, { force: true });
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

export function unusable(detail: string): WavecacheError {
  return new WavecacheError("CREDENTIALS_UNUSABLE", detail);
}
