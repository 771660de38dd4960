/** Builds what the npm package has beside the source: `npm pack` and `npm publish` run it first. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { projectFolder } from "../../base/project-folder.ts";
import { commit, commitFile } from "../../base/version.ts";

$.cwd(projectFolder);
for (const name of ["client", "page"])
  await rm(join(projectFolder, "dist", name), { recursive: true, force: true });
await $`bun run build:client`;
await $`bun run build:page`;
await Bun.write(join(projectFolder, commitFile), `${commit() ?? "unknown"}\n`);
