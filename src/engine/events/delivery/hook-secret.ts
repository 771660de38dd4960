/** The secret that signs webhooks: `whsec_` and base64, as the Standard Webhooks specification has it. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { systemCode, WavecacheError } from "../../../base/errors.ts";

const prefix = "whsec_";
/** The specification asks for 24 to 64 bytes. */
const secretBytes = 32;
const pattern = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

/** Reads the secret of this file, or makes one. Rejects with HOOK_SECRET_UNUSABLE. */
export async function readHookSecret(path: string): Promise<string> {
  const secret = await readOrMake(path);
  if (!pattern.test(secret)) throw new WavecacheError("HOOK_SECRET_UNUSABLE", path);
  return secret;
}

async function readOrMake(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw new WavecacheError("HOOK_SECRET_UNUSABLE", path);
    const secret = prefix + randomBytes(secretBytes).toString("base64");
    await writeFile(path, `${secret}\n`, { mode: 0o600, flag: "wx" });
    return secret;
  }
}
