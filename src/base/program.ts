/** How a user calls this program, for the commands in help and hints. */

/** The file of the installed program's entry, without its extension. */
const entryName = /(^|[\\/])wavecache\.ts$/;

/** The client library also runs where there is no Bun. */
const isInstalled = typeof Bun === "undefined" || Bun.isStandaloneExecutable || entryName.test(Bun.main);

/** What stands before `server` and `client`: they are scripts in the source, and subcommands of an installation. */
export const commandPrefix = isInstalled ? "wavecache" : "bun run";

/** Texts of help are written for the source. */
export function asCalled(text: string): string {
  return isInstalled ? text.replaceAll(/\bbun run (?=client|server)/g, "wavecache ") : text;
}
