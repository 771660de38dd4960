/** The help of `wavecache` itself. */
import { version } from "../../package.json";
import { programCommands } from "./commands.ts";

export function helpText(): string {
  const width = Math.max(...Array.from(programCommands.keys(), (name) => name.length)) + 2;
  const commands = Array.from(programCommands, ([name, { help }]) => `  ${name.padEnd(width)}${help}`);
  return `wavecache ${version}

Usage:
  $ wavecache COMMAND [options]

Commands:
${commands.join("\n")}

Options:
  -v, --version  Print the version, the commit and the version of Bun
  -h, --help     Print this; each command has its own --help

Examples:
  $ wavecache server --cache-dir cache
  $ wavecache client upload song.mp3
  $ wavecache token create --grant "*"
`;
}
