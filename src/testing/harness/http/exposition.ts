/** Scrapes of a server's metrics. */
import { Exposition } from "../../../client/http/exposition.ts";

const scrapeLimitMs = 5_000;

/** Scrapes a server; undefined if its metrics are off. */
export async function scrape(httpBase: string): Promise<Exposition | undefined> {
  const response = await fetch(`${httpBase}/metrics`, { signal: AbortSignal.timeout(scrapeLimitMs) });
  return response.ok ? new Exposition(await response.text()) : undefined;
}
