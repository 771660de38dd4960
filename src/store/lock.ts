/**
 * Locks that keep two servers out of one folder. The lock is flock(2) on a file that stays in the folder: the system
 * releases it with the process, however that ends, so no stale lock can keep the next start out. Systems without flock
 * get a file that holds the process id, and a lock of a process that is gone counts as free.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { loadCFunctions, loadErrno } from "../base/system/c-library.ts";
import { systemCode, toWavecacheError, WavecacheError } from "../base/errors.ts";
import { systemText } from "../base/system/system-text.ts";
import { CacheLayout, removeFile } from "./layout.ts";

export interface Lock {
  readonly path: string;
  /** Idempotent. */
  release(): void;
}

const lockExclusively = 2;
const doNotWait = 4;
/** EWOULDBLOCK of Linux and of macOS. */
const codesOfHeldLock: ReadonlySet<number> = new Set([11, 35]);

const systemFlock: Flock | undefined = loadCFunctions({
  flock: { args: ["i32", "i32"], returns: "i32" },
})?.flock;
const errno = loadErrno();

type Flock = (descriptor: number, operation: number) => number;

/** The lock of a recordings folder. */
export function recordingsLockPath(folder: string): string {
  return join(folder, ".wavecache-lock");
}

/** Locks the folders of a server, and creates them if they are missing. Throws STORE_IN_USE with neither locked. */
export function lockFolders(cacheDir: string, recordingsDir: string): { release(): void } {
  createFolder(cacheDir, 0o700);
  createFolder(recordingsDir, 0o777);
  const cache = acquireLock(new CacheLayout(cacheDir).lock);
  try {
    const recordings = acquireLock(recordingsLockPath(recordingsDir));
    return { release: () => [recordings, cache].forEach((lock) => lock.release()) };
  } catch (error) {
    cache.release();
    throw error;
  }
}

/**
 * Locks the file at `path` for this process, and creates the file if it is missing. Throws STORE_IN_USE if the lock is
 * held already, by whatever process.
 */
export function acquireLock(path: string, flock: Flock | "none" = systemFlock ?? "none"): Lock {
  return flock === "none" ? lockByExistence(path) : lockByCall(path, flock);
}

function createFolder(path: string, mode: number): void {
  try {
    fs.mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    const { code, detail } = toWavecacheError(error);
    if (code === "DISK_FULL") throw error;
    const reason = systemCode(error) === "EEXIST" ? "is no folder" : `cannot be created: ${detail}`;
    throw new WavecacheError("STORE_UNWRITABLE", `${path} ${reason}`);
  }
}

function lockByCall(path: string, flock: Flock): Lock {
  const descriptor = fs.openSync(path, "a+", 0o600);
  if (flock(descriptor, lockExclusively | doNotWait) !== 0) {
    const failure = callFailure(path, errno());
    fs.closeSync(descriptor);
    throw failure;
  }
  noteHolder(descriptor);
  return heldUntil(path, () => fs.closeSync(descriptor));
}

function callFailure(path: string, code: number): WavecacheError {
  if (codesOfHeldLock.has(code)) return new WavecacheError("STORE_IN_USE", `${path}${holderOf(path)}`);
  return new WavecacheError("STORE_FAILED", `${path} cannot be locked (errno ${code})`);
}

/** The process id in the file only helps people, so a full disk, which cannot hold it, must not prevent the start. */
function noteHolder(descriptor: number): void {
  try {
    fs.ftruncateSync(descriptor);
    fs.writeSync(descriptor, `${process.pid}\n`, 0);
  } catch (error) {
    if (toWavecacheError(error).code !== "DISK_FULL") throw error;
  }
}

function holderOf(path: string): string {
  const processId = systemText(path);
  return processId ? ` (process ${processId})` : "";
}

function lockByExistence(path: string): Lock {
  const processId = Number(systemText(path) ?? Number.NaN);
  if (isRunning(processId)) throw new WavecacheError("STORE_IN_USE", `${path} (process ${processId})`);
  removeFile(path);
  try {
    fs.writeFileSync(path, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw new WavecacheError("STORE_IN_USE", path);
    throw error;
  }
  return heldUntil(path, () => removeFile(path));
}

function isRunning(processId: number): boolean {
  if (!Number.isSafeInteger(processId) || processId <= 0) return false;
  try {
    return process.kill(processId, 0);
  } catch (error) {
    // EPERM: a process of another user.
    return systemCode(error) === "EPERM";
  }
}

function heldUntil(path: string, free: () => void): Lock {
  let isHeld = true;
  const release = (): void => {
    if (isHeld) free();
    isHeld = false;
  };
  return { path, release };
}
