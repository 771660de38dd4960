/** Why the server does not start: one line for the user, and the exit code. */
import { errorRow, toWavecacheError } from "../base/errors.ts";
import { escapeInJson, unsafeCharacters } from "../base/log/unsafe-characters.ts";
import { PortError } from "../listen/open-port.ts";
import { ConfigError } from "./schema.ts";

export interface StartFailure {
  message: string;
  exitCode: number;
}

export function startFailure(error: unknown): StartFailure {
  if (error instanceof ConfigError) return { message: oneLine(error.message), exitCode: 2 };
  return { message: oneLine(explain(error)), exitCode: 1 };
}

const addressHint =
  "--host takes an address of this machine: 127.0.0.1, 0.0.0.0 for all of them, or :: for IPv6 too";
const privilegeHint =
  "ports below 1024 are for privileged programs: choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE";
const portHints: Record<string, string> = {
  EADDRINUSE:
    "the port is in use: choose another one with --port, --listen, --ingest-port, --tls-port, --udp-port or --grpc-port, or stop the program that uses it",
  EACCES: privilegeHint,
  EPERM: privilegeHint,
};

function explain(error: unknown): string {
  if (error instanceof PortError) return `${error.message} (${portHints[error.code ?? ""] ?? addressHint})`;
  const { message, code } = toWavecacheError(error);
  return `${message} (${errorRow(code).hint})`;
}

/** Messages of libraries may have several lines, and quote values with characters that a terminal obeys. */
function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]\s*/g, " ").replaceAll(unsafeCharacters, escapeInJson);
}
