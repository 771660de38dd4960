/** All worker threads: writers and readers behind lanes, the keeper, and the sound encoder. */
import { Encoders } from "./encoders.ts";
import { KeeperClient } from "./keeper-client.ts";
import { Readers } from "./readers.ts";
import { Writers } from "./writers.ts";

/** The entry files of the threads. They are passed in, because the pool never imports `workers/`. */
export interface ThreadEntries {
  write: URL;
  read: URL;
  keep: URL;
  encode: URL;
}

export interface PoolSettings {
  entries: ThreadEntries;
  cacheDir: string;
  /** Writer threads, and also reader threads. */
  workers: number;
  /** Files that all readers together keep open. */
  maxReadFiles: number;
  /** A thread died by itself, and is restarted. */
  onLost: (reason: string) => void;
}

export interface Pool {
  writers: Writers;
  readers: Readers;
  keeper: KeeperClient;
  encoders: Encoders;
}

export function openPool(settings: PoolSettings): Pool {
  const { entries, cacheDir, workers, maxReadFiles, onLost } = settings;
  return {
    writers: new Writers({ entry: entries.write, cacheDir, count: workers, onLost }),
    readers: new Readers({ entry: entries.read, cacheDir, count: workers, maxReadFiles, onLost }),
    keeper: new KeeperClient({ entry: entries.keep, onLost }),
    encoders: new Encoders({ entry: entries.encode, onLost }),
  };
}

/** Lets every thread finish its tasks, then ends it. The keeper is last: results of the writers may still lead to calls. */
export async function closePool(pool: Pool): Promise<void> {
  await Promise.all([pool.writers.close(), pool.readers.close(), pool.encoders.close()]);
  await pool.keeper.close();
}
