/**
 * Where things lie in the cache folder. The names carry a version where their layout might change.
 *
 *     catalog.db             the catalog, with its -wal beside it
 *     incoming/<key>         an unfinished upload; the key is in its catalog row
 *     objects-v1/<2 hex>/<sha-256>   audio of finished streams, immutable
 *     tls/                   the server's self-signed certificate and its key
 *     sounds/<sha-256>       packets of a sound for devices, by what its source was
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { systemCode } from "../base/errors.ts";

export class CacheLayout {
  readonly root: string;
  readonly incoming: string;
  readonly objects: string;
  readonly catalog: string;
  readonly tls: string;
  readonly sounds: string;

  constructor(root: string) {
    this.root = root;
    this.incoming = join(root, "incoming");
    this.objects = join(root, "objects-v1");
    this.catalog = join(root, "catalog.db");
    this.tls = join(root, "tls");
    this.sounds = join(root, "sounds");
  }

  incomingPath(key: string): string {
    return join(this.incoming, key);
  }

  /** `sourceKey` is the same for the same source, and may hold any characters. */
  soundPath(sourceKey: string): string {
    return join(this.sounds, new Bun.CryptoHasher("sha256").update(sourceKey).digest("hex"));
  }

  objectFolder(sha256: string): string {
    return join(this.objects, sha256.slice(0, 2));
  }

  objectPath(sha256: string): string {
    return join(this.objectFolder(sha256), sha256);
  }

  /** Makes the folders that are missing, and makes that durable. */
  create(): void {
    fs.mkdirSync(this.incoming, { recursive: true });
    fs.mkdirSync(this.objects, { recursive: true });
    syncFolder(this.root);
  }
}

/**
 * Makes the names in a folder durable: a created or renamed file may be gone after a power cut until its folder is
 * synced. Windows has no such call and journals names by itself.
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

/** Makes the bytes of a file durable, on a thread of the runtime: many at once share the work of the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await fs.promises.open(path, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Deletes a file; one that is not there counts as deleted. Returns whether it was there. */
export function removeFile(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Size of a file in bytes, or undefined if there is none. */
export function sizeOfFile(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.size;
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}
