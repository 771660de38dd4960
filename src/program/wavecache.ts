#!/usr/bin/env bun
/** The program of an installation: `wavecache server`, `wavecache client` and the rest as subcommands. */
import { didYouMean } from "../config/did-you-mean.ts";
import { versionLine } from "../base/version.ts";
import { programCommands } from "./commands.ts";
import { helpText } from "./help.ts";
import { runProgramCommand } from "./run.ts";

const wrongUsage = 2;

async function main([name = "--help", ...args]: string[]): Promise<void> {
  if (name === "--help" || name === "-h" || name === "help") return print(helpText());
  if (name === "--version" || name === "-v") return print(`${versionLine()}\n`);
  if (programCommands.has(name)) return await runProgramCommand(name, args);
  const hint = didYouMean(name, [...programCommands.keys()]) || "; see wavecache --help";
  process.stderr.write(`wavecache: unknown command "${name}"${hint}\n`);
  process.exitCode = wrongUsage;
}

function print(text: string): void {
  process.stdout.write(text);
}

await main(process.argv.slice(2));
