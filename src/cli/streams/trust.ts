/** `--ca` and `--insecure`: whom the commands that connect believe. */
import type { Command } from "cac";
import { readFileSync } from "node:fs";
import type { Trust } from "../../client/transport/trust.ts";
import { flagOption, type Options, textOption } from "../kit/arguments.ts";
import { CliError, fileError, usageError } from "../kit/failures.ts";

export function trustOptions(command: Command): Command {
  return command
    .option("--ca <file>", "Certificates to trust, in PEM, instead of the well-known ones")
    .option("--insecure", "Trust any certificate: whoever is on the way can read and change everything");
}

/** Reads the file of `--ca`; throws a CliError that names it. */
export function trustOf(options: Options): Trust {
  const insecure = flagOption(options, "insecure");
  const path = textOption(options, "ca");
  if (path === undefined) return { insecure };
  if (insecure) throw usageError("--ca and --insecure exclude each other");
  return { ca: readCertificates(path) };
}

function readCertificates(path: string): string {
  const pem = readText(path);
  if (countCertificates(pem) > 0) return pem;
  throw new CliError(`no certificate in PEM: ${path}`, "it begins with -----BEGIN CERTIFICATE-----");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Whole ones: what TLS says later of a file without any names neither the file nor the fault. */
function countCertificates(pem: string): number {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.length;
}
