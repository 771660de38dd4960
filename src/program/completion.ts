/**
 * Completions for bash, zsh, fish and PowerShell, by @bomb.sh/tab: `complete SHELL` prints a script, which asks the program
 * itself for what may come next (`complete -- WORD...`). The adapter for cac that tab has knows one level of commands.
 */
import { RootCommand, script, ShellCompDirective } from "@bomb.sh/tab";
import { programCommands } from "./commands.ts";
import { type DescribedOption, describedCommands, otherNames } from "./description.ts";

export const shells = ["bash", "zsh", "fish", "powershell"];

/** The script of tab for bash completes no names of files, and needs the package bash-completion. */
const bashAdditions = `
complete -o default -F __wavecache_complete wavecache
declare -F _get_comp_words_by_ref > /dev/null || _get_comp_words_by_ref() {
    words=("\${COMP_WORDS[@]}")
    cword=$COMP_CWORD
    cur=\${words[cword]}
    prev=\${words[cword - 1]}
}
`;

/** Prints the script of a shell; false if there is none. */
export function printScript(shell: string | undefined): boolean {
  if (shell === undefined || !shells.includes(shell)) return false;
  script(shell, "wavecache", "wavecache");
  if (shell === "bash") process.stdout.write(bashAdditions);
  return true;
}

/** Prints what the last word may become. The words are those behind the name of the program; the last may be empty. */
export function printCompletions(words: readonly string[]): void {
  const root = new RootCommand();
  for (const [name, { help, isOfServer }] of programCommands) {
    addCommand(root, name, help, []);
    // tab finds `server token create` by way of `server token`.
    if (isOfServer) addCommand(root, `server ${name}`, help, []);
  }
  for (const { name, help, options } of describedCommands())
    for (const each of [name, ...otherNames(name)])
      addCommand(root, each, programCommands.get(each)?.help ?? help, options);
  // tab never lets the shell complete names of files, which are what remains where no command and no option fits.
  Object.defineProperty(root, "directive", {
    get: () =>
      root.completions.length > 0
        ? ShellCompDirective.ShellCompDirectiveNoFileComp
        : ShellCompDirective.ShellCompDirectiveDefault,
    set: () => {},
  });
  root.parse([...words]);
}

function addCommand(
  root: RootCommand,
  name: string,
  help: string,
  options: readonly DescribedOption[],
): void {
  const command = root.command(name, help);
  for (const { flag, short, value, help: meaning } of options) {
    const [key, alias] = [flag.slice("--".length), short?.slice(1)];
    // What an option's value may be is not known here: an empty list lets the shell complete names of files.
    if (value === undefined) command.option(key, meaning, alias);
    else command.option(key, meaning, () => {}, alias);
  }
}
