/** A server without `--archive` whose catalog says that some audio is in an archive alone: the log and `/readyz` say so. */
import { errorRow } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import type { Readiness } from "../../base/readiness.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";

const code = "ARCHIVE_UNAVAILABLE";

/** Call it once the store is open. */
export async function noteMissingArchive(
  keeper: Pick<KeeperClient, "call">,
  readiness: Pick<Readiness, "note">,
  log: Log,
): Promise<void> {
  const { evicted, recordings } = await keeper.call("archiveTotals", null);
  if (evicted + recordings.evicted === 0) return;
  readiness.note(code, errorRow(code).reason);
  const hint = "start with the --archive that has it";
  log.warn("audio is in the archive alone, and there is no --archive", {
    code,
    streams: evicted,
    recordings: recordings.evicted,
    hint,
  });
}
