/**
 * Notices that the configuration file has changed. It watches the folder of the file: an editor, or a volume of
 * Kubernetes, replaces the file, and a watch of the file itself would stay with the old one.
 */
import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { configSettleMs } from "../../base/limits/config.ts";
import type { Log } from "../../base/log/log.ts";

export class FileWatch {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #watcher: ReturnType<typeof watch>;
  #timer: Timer | undefined;
  #text: string | undefined;
  #isClosed = false;

  /** Reads the file, so that an event without a change causes nothing. */
  static async open(path: string, onChange: () => void, log: Log): Promise<FileWatch> {
    return new FileWatch(path, await textOf(path), onChange, log);
  }

  private constructor(path: string, text: string | undefined, onChange: () => void, log: Log) {
    this.#path = path;
    this.#text = text;
    this.#onChange = onChange;
    this.#watcher = watch(dirname(path), () => this.#settle());
    this.#watcher.on("error", (error) => log.warn("the configuration file is not watched", { path, error }));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  /** Some programs write a file in several steps. */
  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#compare(), configSettleMs);
  }

  async #compare(): Promise<void> {
    const text = await textOf(this.#path);
    // A file that is missing for a moment is being replaced.
    if (this.#isClosed || text === undefined || text === this.#text) return;
    this.#text = text;
    this.#onChange();
  }
}

/** Undefined if the file cannot be read. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
