/** What `wavecache` can be asked for. */

export interface ProgramCommand {
  help: string;
  /** Whether it is short for the command of this name of `server`. */
  isOfServer: boolean;
}

const own = (help: string): ProgramCommand => ({ help, isOfServer: false });
const ofServer = (help: string): ProgramCommand => ({ help, isOfServer: true });

/** Looks at a running server, so it is a command of the client; people look for it beside the server. */
export const topCommand = "top";

/** In the order of --help. */
export const programCommands: ReadonlyMap<string, ProgramCommand> = new Map([
  ["server", own("Start the server")],
  ["client", own("Upload, download, record, listen: the client")],
  ["token", ofServer("Create, list and revoke tokens, also while the server runs")],
  ["config", ofServer("Check and show the configuration, print an example and a JSON Schema")],
  ["backup", ofServer("Back the store up, also while the server runs")],
  ["restore", ofServer("Restore a backup into an empty cache folder")],
  [topCommand, ofServer("Show what a running server is doing now")],
  ["doctor", ofServer("Compare the catalog with the files, and mend them with --repair")],
  ["complete", own("Print the completions of a shell: bash, zsh, fish or powershell")],
  ["man", own("Print the manual page: wavecache man | man -l -")],
]);
