/** The worker threads together: writers and readers behind lanes, the keeper, and the one that encodes sounds. */
import { Encoders } from "./encoders.ts";
import { KeeperLink } from "./keeper.ts";
import { Readers } from "./readers.ts";
import { Writers } from "./writers.ts";

/** The entry files of the threads. The pool does not know them by name: it never imports `workers/`. */
export interface ThreadEntries {
  write: URL;
  read: URL;
  keep: URL;
  encode: URL;
}

export interface PoolSettings {
  entries: ThreadEntries;
  cacheDir: string;
  /** Threads of each of the two kinds that carry audio. */
  workers: number;
  /** A thread died by itself; it is started again. */
  onLost: (reason: string) => void;
}

export interface Pool {
  writers: Writers;
  readers: Readers;
  keeper: KeeperLink;
  encoders: Encoders;
}

export function openPool(settings: PoolSettings): Pool {
  const { entries, cacheDir, workers, onLost } = settings;
  return {
    writers: new Writers({ entry: entries.write, cacheDir, count: workers, onLost }),
    readers: new Readers({ entry: entries.read, cacheDir, count: workers, onLost }),
    keeper: new KeeperLink({ entry: entries.keep, cacheDir, onLost }),
    encoders: new Encoders({ entry: entries.encode, onLost }),
  };
}

/** Ends every thread after what it has been given. */
export async function closePool(pool: Pool): Promise<void> {
  await Promise.all([pool.writers.close(), pool.readers.close(), pool.encoders.close()]);
  await pool.keeper.close();
}
