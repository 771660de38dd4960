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

/** Some items of a command have failed. The result that is printed already names them. */
export class PartialFailure extends CliError {}

/** The command line is invalid: exit code 2. */
export function usageError(message: string, hint = "see --help"): CliError {
  return new CliError(message, hint, exitUsage);
}

/** The user or the system interrupted the program with a signal. */
export class Interrupted extends Error {
  readonly exitCode: number;
  /** How to continue, if that is possible. */
  readonly hint: string | undefined;

  /** Shells report 128 plus the number of the signal as the exit code. */
  constructor(signal: "SIGINT" | "SIGTERM" | { exitCode: number }, hint?: string) {
    super("interrupted");
    this.name = "Interrupted";
    this.exitCode = typeof signal === "string" ? signalExitCodes[signal] : signal.exitCode;
    this.hint = hint;
  }
}

const signalExitCodes = { SIGINT: 130, SIGTERM: 143 };

export interface Failure {
  /** For people. */
  line: string;
  /** For programs: a code of the client, `FAILED`, `USAGE` or `INTERRUPTED`. */
  code: string;
  message: string;
  hint: string | null;
  exitCode: number;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Interrupted) return interruption(error);
  if (error instanceof CliError) return failure(error.message, error.hint, error.exitCode);
  if (error instanceof ClientError) {
    const exitCode = error.code === "BAD_URL" || error.code === "BAD_ARGUMENT" ? exitUsage : exitFailure;
    return failure(error.message, error.hint, exitCode, error.serverCode ?? error.code);
  }
  const message = error instanceof Error ? error.message : String(error);
  // cac reports a missing argument or option value.
  if (error instanceof Error && error.name === "CACError") {
    return failure(message.replaceAll("`", '"'), "see --help", exitUsage);
  }
  return failure(`unexpected: ${message}`, "this is a bug in the program", exitFailure);
}

function interruption({ message, hint, exitCode }: Interrupted): Failure {
  const line = visible(hint === undefined ? message : `${message} (${hint})`);
  return { line, code: "INTERRUPTED", message, hint: hint ?? null, exitCode };
}

function failure(
  message: string,
  hint: string,
  exitCode: number,
  code = exitCode === exitUsage ? "USAGE" : "FAILED",
): Failure {
  return { line: visible(`error: ${message} (${hint})`), code, message, hint, exitCode };
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
