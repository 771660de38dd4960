/**
 * A file beside the catalog that says that there were tokens. A catalog that is built anew has none: without the file the
 * server would be open to everybody who reaches it.
 */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../base/log/log.ts";
import { syncFolder } from "../store/layout.ts";

const text = "This server is closed: it has had tokens. Remove this file only to open it to everybody.\n";

export class ClosedMark {
  readonly #path: string;
  readonly #log: Log;
  #isSet: boolean;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
    this.#isSet = existsSync(path);
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  /** Sets the mark for good. After a failure, such as of a full disk, the next change of a token tries again. */
  async set(): Promise<void> {
    if (this.#isSet) return;
    try {
      const file = await open(this.#path, "w", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      syncFolder(dirname(this.#path));
      this.#isSet = true;
    } catch (error) {
      this.#log.error("the mark of a closed server cannot be written", { error });
    }
  }
}
