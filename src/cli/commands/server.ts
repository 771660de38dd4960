/** `server [flags]`: starts a server, which parses its own flags (also --help). */
import type { CAC } from "cac";

export const serverCommand = "server";

/** Only for the list of commands in --help: `main.ts` calls `startServer` before cac parses the arguments. */
export function registerServer(cli: CAC): void {
  cli
    .command(`${serverCommand} [...flags]`, "Start a server (see server --help for its flags)", {
      allowUnknownOptions: true,
    })
    .example("  $ bun run client server --port 8080 --cache-dir cache");
}

/** The dynamic import spares the other commands the time to load the server. */
export async function startServer(args: string[]): Promise<void> {
  const { main } = await import("../../main.ts");
  await main(args);
}
