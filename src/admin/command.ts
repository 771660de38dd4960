/** The command line of the commands on the store: `server backup`, `server restore` and `server doctor`. */
import { type CAC, cac } from "cac";
import { parseArguments, type ParsedOptions } from "../base/command-line.ts";
import { declareVersion, isAnswered } from "../base/version.ts";
import { catalogOptions, readCatalog, readFolder } from "../config/config.ts";
import { describeSettings } from "../config/command.ts";
import { flagsOf } from "../config/flags.ts";
import type { BundleRequest } from "./diagnosis/bundle.ts";
import { ConfigError, type Environment, flagOf, options, variableOf } from "../config/schema.ts";
import type { CatalogAddress } from "../store/kept-catalog.ts";

interface Common {
  cacheDir: string;
  recordingsDir: string;
  catalog: CatalogAddress | null;
  /** Print one JSON object. */
  json: boolean;
  /** Read the whole of every file. */
  deep: boolean;
}

export type AdminCommand = Common &
  (
    | { name: "backup"; folder: string; recordings: boolean; copy: boolean }
    | { name: "restore"; folder: string; force: boolean }
    | { name: "doctor"; repair: boolean; rebuildCatalog: boolean; bundle: BundleRequest | undefined }
  );

const names: readonly string[] = ["backup", "restore", "doctor"] satisfies AdminCommand["name"][];

/** Whether the server's arguments ask for one of these commands. */
export function isAdminCommand(args: readonly string[]): boolean {
  return names.includes(args[0] ?? "");
}

/** Undefined if --help or --version was asked for, and has been printed. Throws a `ConfigError`. */
export function readAdminCommand(
  args: readonly string[],
  environment: Environment,
): AdminCommand | undefined {
  const program = describeAdmin();
  try {
    parseArguments(program, args, (option) => new ConfigError(`unknown option "${option}"`));
    if (isAnswered(program)) return undefined;
    program.runMatchedCommand();
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
  return commandOf(program.matchedCommandName!, program.args, program.options, environment);
}

export function describeAdmin(): CAC {
  const program = cac("wavecache server");
  const backup = program.command("backup <dir>", "Back up the store, also while the server runs");
  backup.option("--recordings", "Copy recordings too");
  backup.option("--copy", "Copy audio even where the backup could share files with the store");
  const restore = program.command("restore <dir>", "Restore a backup into an empty cache folder");
  restore.option("--force", "Restore over a store: its catalog moves to lost+found/");
  const doctor = program.command("doctor", "Compare the store's catalog with its files");
  doctor.option("--repair", "Mend what can be mended; nothing is deleted");
  doctor.option("--rebuild-catalog", "Build a lost or damaged catalog anew");
  doctor.option("--bundle <file>", "Write what a diagnosis needs into a .tar.gz, without secrets and audio");
  for (const command of [backup, restore, doctor]) {
    command.option("--deep", "Read every file and compare its SHA-256");
    command.option("--json", "Print one JSON object");
    for (const name of ["cacheDir", "recordingsDir", ...catalogOptions, "config"] as const)
      command.option(
        `${flagOf(name)} <${options[name].value}>`,
        `${options[name].help} (${variableOf(name)})`,
      );
    command.action(() => {});
  }
  program.help();
  declareVersion(program);
  return program;
}

function commandOf(
  name: string,
  args: readonly string[],
  parsed: ParsedOptions,
  environment: Environment,
): AdminCommand {
  const isOn = (option: string): boolean => parsed[option] === true;
  const common = {
    cacheDir: folderOf("cacheDir", parsed, environment),
    recordingsDir: folderOf("recordingsDir", parsed, environment),
    catalog: readCatalog(flagsOf([...catalogOptions, "config"], parsed), environment),
    json: isOn("json"),
    deep: isOn("deep"),
  };
  if (args.length > (name === "doctor" ? 0 : 1))
    throw new ConfigError(`unexpected argument "${args.at(-1)}"`);
  const folder = args[0] ?? "";
  switch (name) {
    case "backup":
      return { ...common, name, folder, recordings: isOn("recordings"), copy: isOn("copy") };
    case "restore":
      return { ...common, name, folder, force: isOn("force") };
    default:
      return {
        ...common,
        name: "doctor",
        repair: isOn("repair"),
        rebuildCatalog: isOn("rebuildCatalog"),
        bundle: bundleOf(parsed, environment),
      };
  }
}

function folderOf(
  name: "cacheDir" | "recordingsDir",
  parsed: ParsedOptions,
  environment: Environment,
): string {
  return readFolder(name, flagsOf([name, "config"], parsed), environment);
}

function bundleOf(parsed: ParsedOptions, environment: Environment): BundleRequest | undefined {
  const path = parsed["bundle"];
  if (path === undefined) return undefined;
  if (typeof path !== "string" || path === "") throw new ConfigError("--bundle needs a file, once");
  const flags = flagsOf(["cacheDir", "recordingsDir", "config"], parsed);
  return { path, config: describeSettings(flags, environment) };
}
