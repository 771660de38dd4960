/** Where the files are that the program reads beside its source, such as the page that was built ahead. */
import { dirname, join } from "node:path";

/** On the main thread. A single file has them inside, below its entry. */
export const projectFolder = Bun.isStandaloneExecutable ? dirname(Bun.main) : join(import.meta.dir, "../..");
