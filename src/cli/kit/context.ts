/** What `main.ts` hands to every command. */
import type { Terminal } from "./terminal.ts";

export interface Context {
  terminal: Terminal;
  /** Aborts on the first SIGINT or SIGTERM, with an `Interrupted` as its reason. */
  signal: AbortSignal;
}
