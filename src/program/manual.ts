/** The manual page, in the macros of man(7), from the same descriptions as the help. */
import { version } from "../../package.json";
import { flagOf, optionNames, variableOf } from "../config/schema.ts";
import { programCommands } from "./commands.ts";
import { type DescribedCommand, type DescribedOption, describedCommands, otherNames } from "./description.ts";

export function manualPage(): string {
  const commands = describedCommands();
  return [
    `.TH WAVECACHE 1 "" "wavecache ${version}" "Wavecache"`,
    ".SH NAME",
    "wavecache \\- store, record and serve audio",
    ".SH SYNOPSIS",
    Array.from(programCommands.keys(), (name) => `.B wavecache ${escape(name)}\n[\\fIoptions\\fR]`).join(
      "\n.br\n",
    ),
    ".SH DESCRIPTION",
    "Programs and devices push audio in, the server stores and records it crash-safely, and serves it whole, by range, by time",
    "or live. Each command has its own \\fB\\-\\-help\\fR.",
    ".SH COMMANDS",
    ...commands.flatMap(commandSection),
    ".SH ENVIRONMENT",
    "A flag overrides its environment variable, which overrides the configuration file.",
    ...optionNames.map((name) => `.TP\n.B ${escape(variableOf(name))}\nas \\fB${escape(flagOf(name))}\\fR`),
    ".SH FILES",
    ".TP",
    ".I wavecache.toml",
    "The configuration: in the working folder, \\fI$XDG_CONFIG_HOME/wavecache\\fR or \\fI/etc/wavecache\\fR;",
    "\\fBwavecache config example\\fR prints one.",
    ".SH EXIT STATUS",
    "0 if everything was done, 1 if it failed, 2 if the command line or the configuration is wrong.",
    "",
  ].join("\n");
}

function commandSection({ name, operands, help, options, examples }: DescribedCommand): string[] {
  const also = otherNames(name).map((each) => ` Also \\fBwavecache ${escape(each)}\\fR.`);
  return [
    `.SS "wavecache ${escape(name)}${operands === "" ? "" : ` ${escape(operands)}`}"`,
    `${text(help)}.${also.join("")}`,
    ...options.map(optionEntry),
    ...examples.map((example) => `.PP\n.EX\n${text(example)}\n.EE`),
  ];
}

function optionEntry({ flag, short, value, help }: DescribedOption): string {
  const names = short === undefined ? flag : `${short}, ${flag}`;
  const operand = value === undefined ? "" : ` \\fI${escape(value)}\\fR`;
  return `.TP\n\\fB${escape(names)}\\fR${operand}\n${text(help)}`;
}

/** As in the help: every dash is one that can be copied, and a backslash is no escape. */
function escape(words: string): string {
  return words.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");
}

/** A line that begins with a dot or an apostrophe would be a macro. */
function text(line: string): string {
  return escape(line).replace(/^(?=[.'])/, "\\&");
}
