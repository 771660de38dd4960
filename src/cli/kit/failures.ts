/** Errors as the user sees them: one line with a hint, and an exit code. */
import { systemCode } from "../../base/errors.ts";
import { ClientError } from "../../client/errors.ts";
import { visible } from "./text.ts";

export const exitFailure = 1;
export const exitUsage = 2;

/** A failure that the command line itself finds. */
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

/** A command line that makes no sense. */
export function usageError(message: string, hint = "see --help"): CliError {
  return new CliError(message, hint, exitUsage);
}

/** A signal has asked the program to end. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super("interrupted");
    this.name = "Interrupted";
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
  // cac's own rateLimitedLog about the command line.
  if (error instanceof Error && error.name === "CACError") {
    return { line: lineOf(message.replaceAll("`", '"'), "see --help"), exitCode: exitUsage };
  }
  return { line: lineOf(`unexpected: ${message}`, "this is a fault of the program"), exitCode: exitFailure };
}

function lineOf(message: string, hint: string): string {
  return visible(`error: ${message} (${hint})`);
}

const systemHints: Record<string, [message: string, hint: string]> = {
  ENOENT: ["no such file or folder", "check the path"],
  ENOTDIR: ["a part of the path is not a folder", "check the path"],
  EACCES: ["permission denied", "check owner and mode"],
  EPERM: ["not permitted", "check owner and mode"],
  EROFS: ["the file system is read-only", "choose another folder"],
  EISDIR: ["is a folder", "give the path of a file"],
  ENOSPC: ["the disk is full", "free some space or choose another disk"],
  EDQUOT: ["your quota of the disk is used up", "free some space or choose another disk"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter one"],
  ELOOP: ["the links of the path lead in a circle", "check the path"],
};

/** An error of the file system with the path it is about; other errors stay as they are. */
export function fileError(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const [message, hint] = systemHints[code] ?? [`the file system says ${code}`, "check the path"];
  return new CliError(`${message}: ${path}`, hint);
}
