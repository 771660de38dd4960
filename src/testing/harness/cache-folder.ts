/** Compares the files in the server's cache folder with its API. */
import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { listStreams } from "./http/streams.ts";

const checkLimitMs = 5_000;

export interface StoredFile {
  /** Relative to the folder that was listed. */
  path: string;
  size: number;
}

/** Every file below a folder, at any depth; none if the folder does not exist. */
export async function filesUnder(folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const entry of await readdirOrEmpty(folder)) {
    const info = await statOrGone(join(folder, entry));
    if (info?.isFile()) files.push({ path: entry, size: info.size });
  }
  return files;
}

export async function storedObjects(cacheDir: string): Promise<StoredFile[]> {
  return await filesUnder(join(cacheDir, "objects-v1"));
}

export async function incomingFiles(cacheDir: string): Promise<StoredFile[]> {
  return await filesUnder(join(cacheDir, "incoming"));
}

/**
 * The differences between the files and the API, one line each: objects without a finished stream, finished streams
 * without an object of their size, and more incoming files than unfinished streams.
 */
export async function debrisIn(cacheDir: string, httpBase: string): Promise<string[]> {
  const streams = await listStreams(httpBase);
  const finished = streams.filter((stream) => stream.state === "finished");
  const sizes = new Map(finished.map((stream) => [stream.sha256, stream.size]));
  const faults: string[] = [];
  for (const object of await storedObjects(cacheDir)) {
    const digest = object.path.slice(object.path.lastIndexOf("/") + 1);
    const size = sizes.get(digest);
    if (size === undefined) faults.push(`object ${object.path} belongs to no finished stream`);
    else if (size !== object.size) faults.push(`object ${object.path} has ${object.size} bytes, not ${size}`);
    sizes.delete(digest);
  }
  for (const [digest, size] of sizes) {
    // An empty stream needs no file.
    if (size > 0) faults.push(`no object ${digest} of ${size} bytes`);
  }
  const incoming = await incomingFiles(cacheDir);
  const unfinished = streams.length - finished.length;
  if (incoming.length > unfinished) {
    const names = incoming.map((file) => file.path).join(", ");
    faults.push(`${incoming.length} incoming files for ${unfinished} unfinished streams: ${names}`);
  }
  return faults;
}

/** As `debrisIn`, once the check that a server runs after its start has had time to set debris aside. */
export async function debrisAfterCheck(cacheDir: string, httpBase: string): Promise<string[]> {
  const deadline = performance.now() + checkLimitMs;
  let faults = await debrisIn(cacheDir, httpBase);
  while (faults.length > 0 && performance.now() < deadline) {
    await Bun.sleep(20);
    faults = await debrisIn(cacheDir, httpBase);
  }
  return faults;
}

/** The files that the server has set aside, without the folder of the day. */
export async function lostAndFound(cacheDir: string): Promise<string[]> {
  const files = await filesUnder(join(cacheDir, "lost+found"));
  return files.map(({ path }) => path.slice(path.indexOf("/") + 1)).toSorted();
}

async function readdirOrEmpty(folder: string): Promise<string[]> {
  try {
    return await readdir(folder, { recursive: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

async function statOrGone(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
