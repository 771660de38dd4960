/** Why the server does not start: one line for the user, and the exit code. */
import { errorRow, systemCode, toWavecacheError } from "../base/errors.ts";
import { ConfigError } from "./schema.ts";

export interface StartFailure {
  message: string;
  exitCode: number;
}

export function startFailure(error: unknown): StartFailure {
  if (error instanceof ConfigError) return { message: error.message, exitCode: 2 };
  return { message: explain(error), exitCode: 1 };
}

function explain(error: unknown): string {
  const { message, code } = toWavecacheError(error);
  if (error instanceof Error && systemCode(error) === "EADDRINUSE") {
    return `${error.message} (choose another port with --port, --ingest-port, --tls-port, --udp-port or --grpc-port, or stop the program that uses it)`;
  }
  return `${message} (${errorRow(code).hint})`;
}
