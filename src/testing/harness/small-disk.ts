/**
 * A disk small enough to fill: a tmpfs in the server's own mount namespace. It disappears with the server process, so
 * no mount can stay behind. The test reaches it through /proc/PID/root.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { rm, statfs, writeFile } from "node:fs/promises";
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
