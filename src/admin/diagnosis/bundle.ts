/**
 * `doctor --bundle`: all that somebody needs to find out what is wrong with a server, in one file, without secrets and
 * without audio. What of it cannot be had is replaced by the reason, since something is wrong already.
 */
import { chmodSync, existsSync } from "node:fs";
import { cpus, freemem, release, totalmem, uptime } from "node:os";
import { toWavecacheError } from "../../base/errors.ts";
import { versionLine } from "../../base/version.ts";
import type { CatalogAddress } from "../../store/kept-catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import { schemaVersion } from "../../store/streams/sqlite/schema.ts";
import { withCatalog } from "../open-catalog.ts";
import type { Outcome } from "../report.ts";
import { openFolder } from "../store-folder.ts";
import { folderSizes } from "./folder-sizes.ts";
import { redact } from "./redact.ts";
import { askServer } from "./running-server.ts";

/** Where the bundle goes, and what it has of the command's own configuration. */
export interface BundleRequest {
  path: string;
  /** The configuration as the command finds it, or what is wrong with it. That of a running server takes its place. */
  config: string;
}

/** Adds the bundle to the outcome of a `doctor`. */
export async function writeBundle(
  { path, config }: BundleRequest,
  { cacheDir, catalog }: { cacheDir: string; catalog: CatalogAddress | null },
  outcome: Outcome,
): Promise<Outcome> {
  const layout = openFolder(cacheDir);
  const files = {
    "config.toml": config,
    ...(existsSync(layout.admin) ? await askServer(layout) : {}),
    "versions.json": inJson(versions()),
    "doctor.json": inJson(outcome),
    "catalog.json": inJson(await catalogFigures(layout, catalog)),
    "folders.json": inJson(folderSizes(layout.root)),
  };
  const redacted = Object.entries(files).map(([name, text]) => [`wavecache/${name}`, redact(text)]);
  await Bun.Archive.write(path, Object.fromEntries(redacted), { compress: "gzip" });
  chmodSync(path, 0o600);
  return { ...outcome, figures: { ...outcome.figures, bundle: path } };
}

function versions() {
  const { platform, arch } = process;
  return {
    program: versionLine(),
    catalogSchema: schemaVersion,
    system: `${platform} ${arch} ${release()}`,
    processors: cpus().length,
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    systemUptimeSeconds: Math.round(uptime()),
    at: new Date().toISOString(),
  };
}

async function catalogFigures(layout: CacheLayout, address: CatalogAddress | null): Promise<unknown> {
  try {
    return await withCatalog(layout, address, async (catalog) => ({
      totals: await catalog.call("totals", null),
      tokens: (await catalog.call("listTokens", null)).length,
      devices: (await catalog.call("listDevices", null)).length,
      pinnedRanges: (await catalog.call("pinnedRanges", null)).length,
    }));
  } catch (error) {
    const { code, message } = toWavecacheError(error);
    return { error: { code, message } };
  }
}

function inJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
