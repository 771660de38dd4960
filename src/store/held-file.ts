/**
 * A file that is held open so that somebody else can open it by a path, such as the code that sends files. Between a look
 * at a file and its opening by name, another file may get the name; the path of the descriptor always leads to this one.
 */
import * as fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { identityOf } from "./layout.ts";

const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;
/** A container may run without /proc. */
export const descriptorFolder =
  process.platform === "linux" && fs.existsSync("/proc/self/fd") ? "/proc/self/fd" : undefined;

export class HeldFile {
  /** Of its content, as far as can be told without reading it (`identityOf`). */
  readonly identity: string;
  readonly #handle: FileHandle;
  readonly #name: string;

  private constructor(handle: FileHandle, name: string, stat: fs.BigIntStats) {
    this.#handle = handle;
    this.#name = name;
    this.identity = identityOf(stat);
  }

  /** Undefined if the path leads to anything but a regular file. Throws the system's error. */
  static async open(path: string): Promise<HeldFile | undefined> {
    const handle = await fs.promises.open(path, O_RDONLY | O_NONBLOCK);
    try {
      const stat = await handle.stat({ bigint: true });
      if (stat.isFile()) return new HeldFile(handle, path, stat);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    return undefined;
  }

  get path(): string {
    return pathOfDescriptor(this.#handle.fd, this.#name);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Leads to the file while the descriptor is open. `name`, where the system has no paths of descriptors. */
export function pathOfDescriptor(descriptor: number, name: string): string {
  return descriptorFolder === undefined ? name : `${descriptorFolder}/${descriptor}`;
}
