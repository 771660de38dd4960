/** `--ca` and `--insecure`: which TLS certificates the client trusts. */
import type { Command } from "cac";
import { readFileSync } from "node:fs";
import type { Trust } from "../../client/transport/trust.ts";
import { flagOption, type Options, textOption } from "../kit/arguments.ts";
import { CliError, fileError, usageError } from "../kit/failures.ts";

export function trustOptions(command: Command): Command {
  return command
    .option("--ca <file>", "PEM file of certificates to trust instead of the system's")
    .option("--insecure", "Disable certificate verification: anyone on the network can read and alter data");
}

/** Reads the file of `--ca`; throws a CliError that names it. */
export function trustOf(options: Options): Trust {
  const insecure = flagOption(options, "insecure");
  const path = textOption(options, "ca");
  if (path === undefined) return { insecure };
  if (insecure) throw usageError("--ca and --insecure exclude each other");
  return { ca: readCertificates(path) };
}

/** Checks the content here, because a TLS error would name neither the file nor the problem. */
function readCertificates(path: string): string {
  const pem = readText(path);
  if (/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(pem)) return pem;
  throw new CliError(`no certificate in PEM: ${path}`, "the file must contain -----BEGIN CERTIFICATE-----");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, error);
  }
}
