/** Which build of the program this is, as `--version` prints it. */
import type { CAC } from "cac";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { name, version } from "../../package.json";
import { projectFolder } from "./project-folder.ts";

/** A build writes the commit there, because an installation has no repository. */
export const commitFile = "dist/commit";
const commitChars = 10;

export function versionLine(): string {
  return `${name} ${version} (commit ${commit() ?? "unknown"}, Bun ${Bun.version})`;
}

/** Of the source where this is a repository, otherwise of the build. Undefined where neither is known. */
export function commit(): string | undefined {
  if (existsSync(join(projectFolder, ".git"))) return commitOfRepository();
  const file = join(projectFolder, commitFile);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

function commitOfRepository(): string | undefined {
  if (Bun.which("git") === null) return undefined;
  const command = ["git", "-C", projectFolder, "rev-parse", `--short=${commitChars}`, "HEAD"];
  const { success, stdout } = Bun.spawnSync(command, { stderr: "ignore" });
  return success ? stdout.toString().trim() : undefined;
}

/** cac's own line has the version of Node that Bun emulates. */
export function declareVersion(cli: CAC, flags?: string): void {
  cli.version(version, flags);
  cli.outputVersion = () => void process.stdout.write(`${versionLine()}\n`);
}

/** Whether --help or --version was asked for, and is printed now. cac prints no version behind a command's name. */
export function isAnswered(cli: CAC): boolean {
  if (cli.options["version"] !== true) return cli.options["help"] === true;
  if (cli.matchedCommand !== undefined) cli.outputVersion();
  return true;
}
