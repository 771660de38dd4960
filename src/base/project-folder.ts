/** Where the files are that the program reads beside its source, such as the page that was built ahead. */
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** A single file has them inside: its entry in the root of the folder, and the entries of its threads in `workers/`. */
export const projectFolder = Bun.isStandaloneExecutable ? folderInside() : join(import.meta.dir, "../..");

function folderInside(): string {
  const entryFolder = dirname(Bun.main);
  return Bun.isMainThread ? entryFolder : dirname(entryFolder);
}

/** The entry of a kind of thread, such as `write`. */
export function workerEntry(name: string): URL {
  const extension = Bun.isStandaloneExecutable ? "js" : "ts";
  return pathToFileURL(join(projectFolder, "workers", `${name}.${extension}`));
}
