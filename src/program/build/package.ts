/** Builds what the npm package has beside the source: `npm pack` and `npm publish` run it first. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { projectFolder } from "../../base/project-folder.ts";
import { commit, commitFile } from "../../base/version.ts";

/** By shell, with the name that the shell looks for. */
const completions = { bash: "wavecache.bash", zsh: "_wavecache", fish: "wavecache.fish" };

$.cwd(projectFolder);
// A bundle has the names of its parts after their content, so one from before would leave files behind.
for (const name of ["client", "completions", "page"])
  await rm(join(projectFolder, "dist", name), { recursive: true, force: true });
await $`bun run build:client`;
await $`bun run build:page`;
await $`bun run man`;
await mkdir(join(projectFolder, "dist/completions"));
for (const [shell, name] of Object.entries(completions))
  await $`bun run src/program/wavecache.ts complete ${shell} > dist/completions/${name}`;
await Bun.write(join(projectFolder, commitFile), `${commit() ?? "unknown"}\n`);
