/** Who this server is to another service: a file with `USER:PASSWORD` in its first line. */
import { readFile } from "node:fs/promises";
import { systemCode, WavecacheError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { permitsMoreThan } from "./file-mode.ts";

export interface ServiceCredentials {
  username: string;
  password: string;
}

/** A group may read it: some systems keep secrets in a group of their own. */
const widestMode = 0o640;

/** Rejects with CREDENTIALS_UNUSABLE. */
export async function readServiceCredentials(path: string, log: Log): Promise<ServiceCredentials> {
  const [line = ""] = (await read(path)).split(/\r?\n/);
  const colon = line.indexOf(":");
  if (colon < 1)
    throw new WavecacheError("CREDENTIALS_UNUSABLE", `${path} does not begin with USER:PASSWORD`);
  if (permitsMoreThan(path, widestMode))
    log.warn("other users of this machine can read the password of a service; chmod 600 prevents it", {
      path,
    });
  return { username: line.slice(0, colon), password: line.slice(colon + 1) };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new WavecacheError("CREDENTIALS_UNUSABLE", `${path} cannot be read (${systemCode(error)})`);
  }
}
