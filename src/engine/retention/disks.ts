/** The file systems of the folders whose content is retained. */
import * as fs from "node:fs/promises";
import { isMissing } from "../../store/layout.ts";
import type { RetainedKind } from "../../store/retention/catalog.ts";
import type { DiskState } from "./plan.ts";

export interface MeasuredDisk extends DiskState {
  totalBytes: number;
}

export class Disks {
  readonly #folders: Readonly<Record<RetainedKind, string>>;
  readonly #measured = new Map<RetainedKind, MeasuredDisk>();

  constructor(folders: Readonly<Record<RetainedKind, string>>) {
    this.#folders = folders;
  }

  /** As last measured; undefined if there is no such folder. */
  get(kind: RetainedKind): MeasuredDisk | undefined {
    return this.#measured.get(kind);
  }

  /** On the runtime's I/O threads: a disk may take long. Rejects with the system's error. */
  async measure(): Promise<void> {
    await Promise.all([this.#measure("streams"), this.#measure("recordings")]);
  }

  async #measure(kind: RetainedKind): Promise<void> {
    try {
      const [{ dev }, { bavail, blocks, bsize }] = await Promise.all([
        fs.stat(this.#folders[kind]),
        fs.statfs(this.#folders[kind]),
      ]);
      this.#measured.set(kind, { device: dev, freeBytes: bavail * bsize, totalBytes: blocks * bsize });
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#measured.delete(kind);
    }
  }
}
