/** Compiles the library of sync-fault.c and sets it for a server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerOptions } from "../server.ts";
import { compileLibrary } from "./preload.ts";

/** Makes one sync of certain files fail, with the loss of what was not synced before. */
export class SyncFault {
  readonly #folder = mkdtempSync(join(tmpdir(), "wavecache-fault-"));
  readonly #path: string;
  readonly #call: number;

  /** Sync number `call`, counted from 1 once the fault is armed, of files whose path contains `path` fails. */
  constructor(path: string, call = 1) {
    this.#path = path;
    this.#call = call;
    compileLibrary("sync-fault.c", this.#folder);
  }

  get options(): ServerOptions {
    return {
      env: {
        LD_PRELOAD: this.#library,
        SYNC_FAULT_PATH: this.#path,
        SYNC_FAULT_CALL: String(this.#call),
        SYNC_FAULT_ARMED: this.#flag,
      },
    };
  }

  /** Until then every sync succeeds. */
  arm(): void {
    writeFileSync(this.#flag, "");
  }

  get #library(): string {
    return join(this.#folder, "sync-fault.so");
  }

  get #flag(): string {
    return join(this.#folder, "armed");
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
