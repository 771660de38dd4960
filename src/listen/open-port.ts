/** Why a port cannot be opened: the servers of HTTP, TLS, UDP and gRPC each report that in their own words, or in none. */
import { systemCode } from "../base/errors.ts";
import { authorityOf } from "./authority.ts";

export class PortError extends Error {
  /** The system's code, such as EADDRINUSE; undefined if the host has no address. */
  readonly code: string | undefined;

  constructor(host: string, port: number, cause: Error) {
    const code = systemCode(cause);
    super(`cannot listen on ${authorityOf(host, port)}: ${code ?? cause.message}`, { cause });
    this.name = "PortError";
    this.code = code;
  }
}

const codesOfPorts = new Set([
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "EINVAL",
  "ENOENT",
  "EAFNOSUPPORT",
]);

/** Runs `open`, which listens on this port. Throws a `PortError` if the system refuses that, and other errors as they are. */
export async function openPort<T>(host: string, port: number, open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw error instanceof Error && isOfPort(error) ? new PortError(host, port, error) : error;
  }
}

function isOfPort(error: Error): boolean {
  const code = systemCode(error);
  if (code === undefined) return /^Failed to listen|^Name resolution failed/.test(error.message);
  return (
    codesOfPorts.has(code) &&
    /\b(?:listen|bind)\b|port .* in use/.test(`${syscallOf(error)} ${error.message}`)
  );
}

function syscallOf(error: Error): string {
  return "syscall" in error ? String(error.syscall) : "";
}
