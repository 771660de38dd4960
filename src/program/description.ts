/** Every command with its options, read from the programs that parse them: for completions and the manual page. */
import type { CAC, Command } from "cac";
import { describeAdmin } from "../admin/command.ts";
import { describeToken } from "../admin/token/command.ts";
import { asCalled } from "../base/program.ts";
import { describeClient } from "../cli/main.ts";
import { configVerbs } from "../config/command.ts";
import { describeFlags } from "../config/flags.ts";
import { programCommands, topCommand } from "./commands.ts";

export interface DescribedOption {
  /** Such as `--output`. */
  flag: string;
  /** Such as `-o`. */
  short: string | undefined;
  /** Such as `<file>`; undefined for a switch. */
  value: string | undefined;
  help: string;
}

export interface DescribedCommand {
  /** Such as `client upload`. */
  name: string;
  /** What follows the name, such as `[...files]`. */
  operands: string;
  help: string;
  options: DescribedOption[];
  /** Whole command lines. */
  examples: string[];
}

/** In the order of the manual page. */
export function describedCommands(): DescribedCommand[] {
  return [
    ...commandsOf(describeFlags(), "server"),
    ...commandsOf(describeToken(), "server token"),
    ...commandsOf(describeAdmin(), "server"),
    ...Object.entries(configVerbs).map(([verb, help]) => withoutOptions(`server config ${verb}`, help)),
    ...commandsOf(describeClient(), "client"),
  ];
}

/** Other names of a command: `token create` for `server token create`. */
export function otherNames(name: string): string[] {
  if (name === `client ${topCommand}`) return [`server ${topCommand}`, topCommand];
  const [program, command = "", ...rest] = name.split(" ");
  return program === "server" && programCommands.get(command)?.isOfServer
    ? [[command, ...rest].join(" ")]
    : [];
}

function commandsOf(program: CAC, prefix: string): DescribedCommand[] {
  const shared = program.globalCommand.options;
  return program.commands.map((command) => ({
    name: `${prefix} ${command.name}`.trim(),
    operands: operandsOf(command),
    help: command.description,
    options: [...command.options, ...shared].map(optionOf),
    examples: command.examples.map((example) =>
      asCalled(typeof example === "string" ? example : example(program.name)).replace(/^ *\$ /, ""),
    ),
  }));
}

function withoutOptions(name: string, help: string): DescribedCommand {
  return { name, operands: "", help, options: [], examples: [] };
}

function operandsOf({ rawName, name }: Command): string {
  return rawName.slice(name.length).trim();
}

function optionOf({ rawName, description, config }: Command["options"][number]): DescribedOption {
  const [, short, flag = "", value] = /^(?:(-\w), )?(--[\w-]+)(?: (.*))?$/.exec(rawName) ?? [];
  const preset: unknown = config.default;
  const help =
    preset === undefined || preset === true ? description : `${description} (default: ${String(preset)})`;
  return { flag, short, value, help };
}
