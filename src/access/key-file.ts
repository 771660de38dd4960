/** Files that hold secrets: keys of links, and of JWTs. */
import { mkdir, open, readFile, stat } from "node:fs/promises";
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

/** Writes a new file, which its owner alone can read from its creation on. An existing file stays as it is. */
export async function createKeyFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw unusable(`${path} cannot be written (${systemCode(error)})`);
  }
}

export function unusable(detail: string): WavecacheError {
  return new WavecacheError("CREDENTIALS_UNUSABLE", detail);
}
