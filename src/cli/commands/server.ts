/** `server [flags]`: starts a server; its flags, --help among them, are its own. */
import type { CAC } from "cac";

export const serverCommand = "server";

/** For the list of commands only: `startServer` is called before cac sees the arguments. */
export function registerServer(cli: CAC): void {
  cli
    .command(`${serverCommand} [...flags]`, "Start a server (flags: see server --help)", {
      allowUnknownOptions: true,
    })
    .example("  $ bun run client server --port 8080 --cache-dir cache");
}

/** Imported only when needed: no other command should pay for loading a server. */
export async function startServer(args: string[]): Promise<void> {
  const { main } = await import("../../main.ts");
  await main(args);
}
