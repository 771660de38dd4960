/** Where the server listens, for scripts that start it with `--port 0`. */
import { closeSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { version } from "../package.json";
import type { Config } from "./config/schema.ts";
import type { Listeners } from "./listen/listeners.ts";
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

/** The URLs of the listeners, and the other addresses that there are. */
export function addressesOf(
  { path, ingestPort }: Config,
  listeners: Listeners,
  others: (string | undefined)[],
): string[] {
  const [main, ...further] = listeners.all;
  const ingest = ingestPort === "off" ? undefined : further.shift();
  const urls = [main?.address("ws", path), main?.address("http", "/"), ingest?.address("ws", "/ws")];
  const more = further.map((listener) => listener.address("http", "/"));
  return [...urls, ...others, ...more].filter((address) => address !== undefined);
}

/** The ports of the listeners. */
export function portsOf({ ingestPort }: Config, listeners: Listeners) {
  const [main, ingest] = listeners.all;
  return { http: main?.port, ingest: ingestPort === "off" ? undefined : ingest?.port };
}
