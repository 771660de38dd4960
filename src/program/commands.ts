/** What `wavecache` can be asked for, and which part of the program does it. */

export interface ProgramCommand {
  help: string;
  /** `args` are those behind the name. */
  run: (args: string[]) => Promise<void>;
}

/** Looks at a running server, so it is a command of the client; people look for it beside the server. */
const topCommand = "top";

/** The imports are dynamic, so that the client does not wait for the server to load. */
export async function runServer(args: string[]): Promise<void> {
  if (args[0] === topCommand) return await runClient(args);
  const { main } = await import("../main.ts");
  await main(args);
}

async function runClient(args: string[]): Promise<void> {
  const { main } = await import("../cli/main.ts");
  await main(args);
}

/** `wavecache token` is short for `wavecache server token`. */
function ofServer(name: string, help: string): [string, ProgramCommand] {
  return [name, { help, run: (args) => runServer([name, ...args]) }];
}

/** In the order of --help. */
export const programCommands: ReadonlyMap<string, ProgramCommand> = new Map<string, ProgramCommand>([
  ["server", { help: "Start the server", run: runServer }],
  ["client", { help: "Upload, download, record, listen: the client", run: runClient }],
  ofServer("token", "Create, list and revoke tokens, also while the server runs"),
  ofServer("config", "Check and show the configuration, print an example and a JSON Schema"),
  ofServer("backup", "Back the store up, also while the server runs"),
  ofServer("restore", "Restore a backup into an empty cache folder"),
  ofServer(topCommand, "Show what a running server is doing now"),
  ofServer("doctor", "Compare the catalog with the files, and mend them with --repair"),
]);
