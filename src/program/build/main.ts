/** Builds the single file: `bun run build:executable [TARGET [BUN]]`, for this system if no target is given. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { projectFolder } from "../../base/project-folder.ts";
import { buildExecutable, hostTarget } from "./executable.ts";

const [target = hostTarget, bun] = process.argv.slice(2) as [Bun.Build.CompileTarget?, string?];
const system = target === hostTarget ? "" : target.replace("bun", "");
const extension = target.startsWith("bun-windows") ? ".exe" : "";
const outfile = join(projectFolder, "dist", `wavecache${system}${extension}`);
await mkdir(join(projectFolder, "dist"), { recursive: true });
await buildExecutable({ outfile, target, ...(bun !== undefined && { bun }) });
process.stdout.write(`${outfile}\n`);
