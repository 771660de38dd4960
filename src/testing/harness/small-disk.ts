/**
 * A disk small enough to fill: a tmpfs in the server's own mount namespace. It disappears with the server process, so
 * no mount can stay behind. The test reaches it through /proc/PID/root.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { appendFile, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerOptions, TestServer } from "./server.ts";

const diskFolder = "disk";
const fillerName = "filler";

/** Whether this machine and user can mount one. */
export function canMountSmallDisk(): boolean {
  if (process.platform !== "linux" || Bun.which("unshare") === null) return false;
  const folder = mkdtempSync(join(tmpdir(), "wavecache-mount-"));
  try {
    return Bun.spawnSync([...mountCommand(folder, 1), "true"], { stderr: "ignore" }).exitCode === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Options of a server whose cache folder is on a disk of `mebibytes`. */
export function onSmallDisk(mebibytes: number): ServerOptions {
  return {
    cacheFolder: `${diskFolder}/cache`,
    launcher: (folder) => mountCommand(join(folder, diskFolder), mebibytes),
  };
}

/** The beginning of a command that mounts an empty, read-only disk first. */
export function onReadOnlyDisk(mountPoint: string): string[] {
  return mountCommand(mountPoint, 1, "ro,");
}

/** Fills the disk with a file until about `bytesLeft` bytes are free. */
export async function fillDisk(server: TestServer, bytesLeft: number): Promise<void> {
  const disk = diskOf(server);
  const { bsize, bavail } = await statfs(disk);
  await writeFile(join(disk, fillerName), new Uint8Array(Math.max(0, bsize * bavail - bytesLeft)));
}

/** Bytes that are in use and free on the disk, deleted files that are still open included. */
export async function diskSpace(server: TestServer): Promise<{ usedBytes: number; freeBytes: number }> {
  const { bsize, blocks, bavail } = await statfs(diskOf(server));
  return { usedBytes: bsize * (blocks - bavail), freeBytes: bsize * bavail };
}

/** Frees the filled space. */
export async function freeDisk(server: TestServer): Promise<void> {
  await rm(join(diskOf(server), fillerName));
}

function diskOf(server: TestServer): string {
  return join(`/proc/${server.pid}/root`, server.folder, diskFolder);
}

function mountCommand(mountPoint: string, mebibytes: number, options = ""): string[] {
  const script = `mkdir -p "$0" && mount -t tmpfs -o ${options}size=${mebibytes}m tmpfs "$0" && exec "$@"`;
  const namespace = process.getuid?.() === 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
  return ["unshare", ...namespace, "--", "sh", "-c", script, mountPoint];
}

/** A small disk that outlives its servers: a process of its own holds its mount namespace. */
export class LastingDisk {
  readonly #mebibytes: number;
  #holder: Bun.Subprocess | undefined;

  constructor(mebibytes: number) {
    this.#mebibytes = mebibytes;
  }

  /** Options of servers, one at a time, whose cache folder is on this disk. */
  get options(): ServerOptions {
    return {
      cacheFolder: `${diskFolder}/cache`,
      launcher: (folder) => this.#enter(join(folder, diskFolder)),
    };
  }

  /** Fills the disk until nothing is left, or about `bytesLeft` bytes. The server may run or not. */
  async fill(server: TestServer, bytesLeft = 0): Promise<void> {
    const disk = this.#path(server);
    const { bsize, bavail } = await statfs(disk);
    const bytes = new Uint8Array(Math.max(0, bsize * bavail - bytesLeft));
    // The server may take some of the space meanwhile.
    await appendFile(join(disk, fillerName), bytes).catch(ignoreFullDisk);
  }

  async free(server: TestServer): Promise<void> {
    await rm(join(this.#path(server), fillerName));
  }

  [Symbol.dispose](): void {
    this.#holder?.kill("SIGKILL");
  }

  /** A path on the disk, as the test reaches it. */
  pathOf(server: TestServer, path: string): string {
    return join(this.#path(server), path);
  }

  #path(server: TestServer): string {
    return join(`/proc/${this.#holder!.pid}/root`, server.folder, diskFolder);
  }

  #enter(mountPoint: string): string[] {
    this.#holder ??= holdMount(mountPoint, this.#mebibytes);
    const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
    return ["nsenter", "--target", String(this.#holder.pid), "--mount", ...user, "--"];
  }
}

function holdMount(mountPoint: string, mebibytes: number): Bun.Subprocess {
  const holder = Bun.spawn([
    "setpriv",
    "--pdeathsig",
    "KILL",
    ...mountCommand(mountPoint, mebibytes),
    "sleep",
    "600",
  ]);
  const inside = join(`/proc/${holder.pid}/root`, mountPoint);
  for (let tries = 0; deviceOf(inside) === undefined || deviceOf(inside) === deviceOf(tmpdir()); tries++) {
    if (tries > 500) throw new Error(`no disk at ${mountPoint}`);
    Bun.sleepSync(10);
  }
  return holder;
}

function deviceOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.dev;
}

function ignoreFullDisk(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
}
