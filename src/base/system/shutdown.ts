/** The end of a process by a signal. */
import { closeSync, openSync } from "node:fs";
import type { Log } from "../log/log.ts";
import { systemText } from "./system-text.ts";

export interface ShutdownSettings {
  close: () => Promise<void>;
  /** What SIGHUP asks for, unless the terminal was closed. */
  reload: () => void;
  /** Writes the last lines of the log; resolves in any case. */
  flushLog: () => Promise<void>;
  /** The process ends after this, even if `close` is not done. Asked at the signal. */
  graceMs: () => number;
  log: Log;
}

/** A terminal sends SIGINT for Ctrl-C, and SIGQUIT for Ctrl-\. */
const endingSignals = ["SIGINT", "SIGTERM", "SIGQUIT"] as const;

/**
 * SIGHUP reloads the configuration. On the first other signal, closes and exits: with 0 once `close` is done, with 1 if it fails or takes longer than
 * `graceMs`. Later signals change nothing: Ctrl-C reaches a process that `bun run` started twice.
 */
export function closeOnSignal(settings: ShutdownSettings): void {
  let isClosing = false;
  const end = (signal: string): void => {
    if (isClosing) return settings.log.info("already shutting down", { signal });
    isClosing = true;
    void shutDown(signal, settings);
  };
  for (const signal of endingSignals) process.on(signal, () => end(signal));
  if (ignoresHangup()) return;
  const hadTerminal = hasTerminal();
  process.on("SIGHUP", () => {
    // The system sends it, too, when the terminal is closed, which then is there no longer.
    if (isClosing || (hadTerminal && !hasTerminal())) end("SIGHUP");
    else settings.reload();
  });
}

/** Whether the process has a terminal that controls it: without one the path leads nowhere. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

async function shutDown(signal: string, { close, flushLog, graceMs, log }: ShutdownSettings): Promise<void> {
  log.info("shutting down", { signal });
  const timer = setTimeout(() => {
    log.error("the shutdown took too long; unfinished uploads stay resumable");
    void flushLog().then(() => process.exit(1));
  }, graceMs());
  let exitCode = 0;
  try {
    await close();
    log.info("bye");
  } catch (error) {
    log.error("the shutdown failed; unfinished uploads stay resumable", { error });
    exitCode = 1;
  }
  clearTimeout(timer);
  await flushLog();
  process.exit(exitCode);
}

/** Whether `nohup` started the process: it ignores SIGHUP, and a handler would end that. */
function ignoresHangup(): boolean {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(systemText("/proc/self/status") ?? "")?.[1];
  // SIGHUP is signal 1, the lowest bit.
  return ignored !== undefined && (BigInt(`0x${ignored}`) & 1n) === 1n;
}
