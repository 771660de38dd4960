/** Errors as the user sees them: one line with a hint, and the exit code of the process. */
import { systemCode } from "../../base/errors.ts";
import { ClientError } from "../../client/errors.ts";
import { visible } from "./text.ts";

export const exitFailure = 1;
export const exitUsage = 2;

/** An error that the CLI itself detects, as opposed to the client library's ClientError. */
export class CliError extends Error {
  readonly hint: string;
  readonly exitCode: number;

  constructor(message: string, hint: string, exitCode: number = exitFailure) {
    super(message);
    this.name = "CliError";
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** The command line is invalid: exit code 2. */
export function usageError(message: string, hint = "see --help"): CliError {
  return new CliError(message, hint, exitUsage);
}

/** The user or the system interrupted the program with a signal. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super("interrupted");
    this.name = "Interrupted";
    // Shells report 128 plus the number of the signal.
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

export interface Failure {
  line: string;
  exitCode: number;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Interrupted) return { line: "interrupted", exitCode: error.exitCode };
  if (error instanceof CliError) return { line: lineOf(error.message, error.hint), exitCode: error.exitCode };
  if (error instanceof ClientError) {
    const exitCode = error.code === "BAD_URL" || error.code === "BAD_ARGUMENT" ? exitUsage : exitFailure;
    return { line: lineOf(error.message, error.hint), exitCode };
  }
  const message = error instanceof Error ? error.message : String(error);
  // cac reports a missing argument or option value.
  if (error instanceof Error && error.name === "CACError") {
    return { line: lineOf(message.replaceAll("`", '"'), "see --help"), exitCode: exitUsage };
  }
  return { line: lineOf(`unexpected: ${message}`, "this is a bug in the program"), exitCode: exitFailure };
}

function lineOf(message: string, hint: string): string {
  return visible(`error: ${message} (${hint})`);
}

const systemHints: Record<string, [message: string, hint: string]> = {
  ENOENT: ["no such file or folder", "check the path"],
  ENOTDIR: ["part of the path is not a folder", "check the path"],
  EACCES: ["permission denied", "check the owner and mode of the file"],
  EPERM: ["not permitted", "check the owner and mode of the file"],
  EROFS: ["the file system is read-only", "choose another folder"],
  EISDIR: ["is a folder", "give the path of a file"],
  ENOSPC: ["the disk is full", "free some space or choose another disk"],
  EDQUOT: ["your disk quota is used up", "free some space or choose another disk"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter name"],
  ELOOP: ["the symbolic links of the path form a loop", "check the path"],
};

/** Turns a file system error into a CliError that names the path; returns other errors unchanged. */
export function fileError(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const [message, hint] = systemHints[code] ?? [`the file system reports ${code}`, "check the path"];
  return new CliError(`${message}: ${path}`, hint);
}
