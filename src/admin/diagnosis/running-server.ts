/** What a running server tells of itself over the socket in its cache folder: file names of the bundle, and their texts. */
import * as v from "valibot";
import { systemCode } from "../../base/errors.ts";
import { diagnosisLimitMs } from "../../base/limits/config.ts";
import { diagnosisPath } from "../../store/catalog-reader.ts";
import type { CacheLayout } from "../../store/layout.ts";

const filesSchema = v.record(v.string(), v.string());

/** A server that hangs is what a bundle is made for: then the bundle says so instead. */
export async function askServer({ admin }: CacheLayout): Promise<Record<string, string>> {
  try {
    const signal = AbortSignal.timeout(diagnosisLimitMs);
    const response = await fetch(`http://server${diagnosisPath}`, { unix: admin, signal });
    if (!response.ok) return unanswered(`it answered with status ${response.status}`);
    return v.parse(filesSchema, await response.json());
  } catch (error) {
    return unanswered(systemCode(error) ?? String(error));
  }
}

function unanswered(reason: string): Record<string, string> {
  return { "server.txt": `The server that has the folder tells nothing of itself: ${reason}\n` };
}
