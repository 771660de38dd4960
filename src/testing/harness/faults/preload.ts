/** Libraries that a server loads before all others, so that some calls to the system fail or lie. */
import { join } from "node:path";

/** Whether this machine can compile such a library, and load it into the server. */
export const canPreload = process.platform === "linux" && Bun.which("gcc") !== null;

/** Compiles a source of this folder into a library in `folder`, and returns its path for LD_PRELOAD. */
export function compileLibrary(source: string, folder: string): string {
  const library = join(folder, source.replace(/\.c$/, ".so"));
  const command = ["gcc", "-shared", "-fPIC", "-O1", "-o", library, join(import.meta.dir, source), "-ldl"];
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`gcc: ${stderr.toString()}`);
  return library;
}
