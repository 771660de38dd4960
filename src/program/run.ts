/** Runs a command of `wavecache`. The imports are dynamic, so that the client does not wait for the server to load. */
import { programCommands, topCommand } from "./commands.ts";

const wrongUsage = 2;

/** `args` are those behind the name. */
export async function runProgramCommand(name: string, args: string[]): Promise<void> {
  if (programCommands.get(name)?.isOfServer) return await runServer([name, ...args]);
  if (name === "server") return await runServer(args);
  if (name === "client") return await runClient(args);
  if (name === "complete") return await runComplete(args);
  const { manualPage } = await import("./manual.ts");
  process.stdout.write(manualPage());
}

export async function runServer(args: string[]): Promise<void> {
  if (args[0] === topCommand) return await runClient(args);
  const { main } = await import("../main.ts");
  await main(args);
}

async function runClient(args: string[]): Promise<void> {
  const { main } = await import("../cli/main.ts");
  await main(args);
}

/** Both uses are the convention of tab, whose scripts call the first. */
async function runComplete(args: string[]): Promise<void> {
  const { printCompletions, printScript, shells } = await import("./completion.ts");
  if (args[0] === "--") return printCompletions(args.slice(1));
  if (printScript(args[0])) return;
  process.stderr.write(`wavecache: complete: expected one of ${shells.join(", ")}\n`);
  process.exitCode = wrongUsage;
}
