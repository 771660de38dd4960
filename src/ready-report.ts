/** Where the server listens, for scripts that start it with `--port 0`. */
import { closeSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { version } from "../package.json";
import type { Config } from "./config/schema.ts";
import { removeFile } from "./store/layout.ts";

export interface Listening {
  /** Of the gateways that have a port. */
  ports: Readonly<Record<"http" | "ingest" | "tls" | "udp" | "grpc", number | undefined>>;
  addresses: readonly string[];
}

/** Writes the report. Returns what removes it again. */
export function reportReady(
  { readyFile, readyFd }: Pick<Config, "readyFile" | "readyFd">,
  { ports, addresses }: Listening,
): () => void {
  const report = `${JSON.stringify({ pid: process.pid, version, ports, addresses })}\n`;
  if (readyFd !== undefined) {
    writeSync(readyFd, report);
    closeSync(readyFd);
  }
  if (readyFile === undefined) return () => undefined;
  // Whoever waits for the file must not read a part of it.
  const temporary = `${readyFile}.${process.pid}`;
  writeFileSync(temporary, report);
  renameSync(temporary, readyFile);
  return () => removeFile(readyFile);
}
