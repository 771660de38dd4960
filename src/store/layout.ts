/**
 * The layout of the cache folder. A name carries a version where the layout below it might change.
 *
 *     lock                   locked by the server that uses the folder (lock.ts)
 *     ballast                space that is kept for removals on a full disk (ballast.ts)
 *     admin.sock             a socket of the server that runs, for operations on the store (catalog-reader.ts)
 *     catalog.db             the catalog, with its -wal file beside it
 *     node                   the id of this node, if the catalog is in PostgreSQL instead (kept-catalog.ts)
 *     journal-v1/            what the catalog says about finished streams, as a log (journal/journal.ts)
 *     incoming/<key>         an unfinished upload; the key is in its catalog row
 *     objects-v1/<2 hex>/<sha-256>   audio of finished streams, immutable
 *     sums-v1/<2 hex>/<sha-256>      block checksums of that object (streams/sums.ts); made again if missing
 *     followed/<key>.<n>     what came of an upload in progress at another node; a start removes it
 *     fetched/<sha-256>      pieces of an object that is in the archive; a start removes them
 *     access.closed          says that there were tokens (access/closed-mark.ts)
 *     links.key              the keys of shared links (access/links.ts)
 *     hook-secret            signs webhooks
 *     tls/                   the server's self-signed certificate and its key
 *     lost+found/<yyyymmdd>/ files that no catalog row accounts for (check/lost-found.ts)
 *     peaks/<sha-256>        peaks of a stream or a song (codec/peaks/dat.ts), by the hash of its audio or of its source's key
 *     sounds/<sha-256>       Opus packets of a sound for devices; the hash is that of the source's key
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "../base/errors.ts";

export class CacheLayout {
  readonly root: string;
  readonly lock: string;
  readonly ballast: string;
  readonly admin: string;
  readonly incoming: string;
  readonly objects: string;
  readonly sums: string;
  readonly catalog: string;
  readonly node: string;
  readonly hookSecret: string;
  readonly tls: string;
  readonly accessClosed: string;
  readonly linkKeys: string;
  readonly sounds: string;
  readonly peaks: string;
  readonly lostFound: string;
  readonly fetched: string;
  readonly followed: string;
  readonly journal: string;

  constructor(root: string) {
    this.root = root;
    this.lock = join(root, "lock");
    this.ballast = join(root, "ballast");
    this.admin = join(root, "admin.sock");
    this.incoming = join(root, "incoming");
    this.objects = join(root, "objects-v1");
    this.sums = join(root, "sums-v1");
    this.catalog = join(root, "catalog.db");
    this.node = join(root, "node");
    this.hookSecret = join(root, "hook-secret");
    this.tls = join(root, "tls");
    this.accessClosed = join(root, "access.closed");
    this.linkKeys = join(root, "links.key");
    this.sounds = join(root, "sounds");
    this.peaks = join(root, "peaks");
    this.journal = join(root, "journal-v1");
    this.lostFound = join(root, "lost+found");
    this.fetched = join(root, "fetched");
    this.followed = join(root, "followed");
  }

  incomingPath(key: string): string {
    return join(this.incoming, key);
  }

  /** `sourceKey` identifies the source file and may contain any characters. */
  soundPath(sourceKey: string): string {
    return join(this.sounds, new Bun.CryptoHasher("sha256").update(sourceKey).digest("hex"));
  }

  /** Of a stream, by the SHA-256 of its audio. */
  streamPeaksPath(sha256: string): string {
    return join(this.peaks, sha256);
  }

  /** Of a song, by the key of its file. */
  songPeaksPath(sourceKey: string): string {
    return join(this.peaks, new Bun.CryptoHasher("sha256").update(`song ${sourceKey}`).digest("hex"));
  }

  objectFolder(sha256: string): string {
    return join(this.objects, sha256.slice(0, 2));
  }

  objectPath(sha256: string): string {
    return join(this.objectFolder(sha256), sha256);
  }

  /** What came of an archived object. Its name is that of the object: readers look for its checksums by that. */
  fetchedPath(sha256: string): string {
    return join(this.fetched, sha256);
  }

  /** Levels and peaks of recordings that came from the archive. */
  get fetchedMeasured(): string {
    return join(this.fetched, "measured");
  }

  followedPath(key: string): string {
    return join(this.followed, key);
  }

  sumsPath(sha256: string): string {
    return join(this.sums, sha256.slice(0, 2), sha256);
  }

  /** Creates missing folders and syncs their names. */
  create(): void {
    fs.mkdirSync(this.incoming, { recursive: true });
    fs.mkdirSync(this.objects, { recursive: true });
    syncFolder(this.root);
  }
}

/**
 * Makes the names in a folder durable. Without it a power cut may undo the creation or renaming of a file. Windows
 * has no such call; NTFS journals names by itself.
 */
export function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = fs.openSync(path, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Makes the bytes of a file durable. Runs on the runtime's I/O threads, so that concurrent syncs overlap. */
export async function syncFile(path: string): Promise<void> {
  const file = await fs.promises.open(path, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Creates a folder if it is missing, and those between it and `root`. Returns whether it did. `root` must exist: if that
 * was removed, a new one in its place would be filled.
 */
export function createFolder(path: string, root: string = dirname(path)): boolean {
  try {
    fs.mkdirSync(path);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    if (!isMissing(error) || dirname(path) === root) throw error;
    createFolder(dirname(path), root);
    return createFolder(path, root);
  }
}

/** Deletes a file. Returns false, and is no error, if it does not exist. */
export function removeFile(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;

/**
 * Opens a file for reading. Undefined if the path leads to anything but a regular file: opening a pipe would wait for a
 * writer. Throws the system's error.
 */
export function openRegularFile(path: string): { descriptor: number; stat: fs.BigIntStats } | undefined {
  const descriptor = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const stat = fs.fstatSync(descriptor, { bigint: true });
    if (stat.isFile()) return { descriptor, stat };
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
  fs.closeSync(descriptor);
  return undefined;
}

/** Differs between files, and between states of a file that was written to, as far as its size and times tell. */
export function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: fs.BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** Size of a file in bytes, or undefined if it does not exist. */
export function sizeOfFile(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.size;
}

/** Names in a folder; none if there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The same without blocking the thread. */
export async function readNames(folder: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}
