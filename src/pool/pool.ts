/** All worker threads: writers and readers behind lanes, the keeper, the sound encoder, and the archiver if there is an archive. */
import type { BucketSettings } from "../store/archive/bucket.ts";
import { Archiver } from "./archiver.ts";
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
  archive: URL;
}

export interface PoolSettings {
  entries: ThreadEntries;
  cacheDir: string;
  recordingsDir: string;
  /** Writer threads, and also reader threads. */
  workers: number;
  /** Files that all readers together keep open. */
  maxReadFiles: number;
  /** Of the archive; undefined without one. */
  bucket?: BucketSettings | undefined;
  /** A thread died by itself, and is restarted. */
  onLost: (reason: string) => void;
}

export interface Pool {
  writers: Writers;
  readers: Readers;
  keeper: KeeperClient;
  encoders: Encoders;
  /** Undefined without an archive. */
  archiver: Archiver | undefined;
}

export function openPool(settings: PoolSettings): Pool {
  const { entries, cacheDir, recordingsDir, workers, maxReadFiles, bucket, onLost } = settings;
  return {
    writers: new Writers({ entry: entries.write, cacheDir, count: workers, onLost }),
    readers: new Readers({ entry: entries.read, cacheDir, count: workers, maxReadFiles, onLost }),
    keeper: new KeeperClient({ entry: entries.keep, onLost }),
    encoders: new Encoders({ entry: entries.encode, onLost }),
    archiver: bucket && new Archiver({ entry: entries.archive, cacheDir, recordingsDir, bucket, onLost }),
  };
}

/** Lets every thread finish its tasks, then ends it. The keeper is last: results of the writers may still lead to calls. */
export async function closePool(pool: Pool): Promise<void> {
  const { writers, readers, encoders, archiver } = pool;
  await Promise.all([writers.close(), readers.close(), encoders.close(), archiver?.close()]);
  await pool.keeper.close();
}
