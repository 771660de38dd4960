/** Builds the program as a single file with Bun inside. */
import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { projectFolder } from "../../base/project-folder.ts";
import { commit, commitFile } from "../../base/version.ts";
import { buildAhead, pageFolders } from "../../gateways/page/bundle.ts";
import { embedPackages, filesOfPackages, withoutWebWorkers } from "./packages.ts";

const threads = ["write", "read", "keep", "encode", "archive", "sync", "connect"];

const systems: Partial<Record<NodeJS.Platform, string>> = { win32: "windows" };

/** The only target whose Bun is never downloaded: it is the one that builds. */
export const hostTarget =
  `bun-${systems[process.platform] ?? process.platform}-${process.arch}` as Bun.Build.CompileTarget;

export interface ExecutableSettings {
  /** Its folder must exist. */
  outfile: string;
  target: Bun.Build.CompileTarget;
  /** The Bun of the target, where the bundler must not download it. */
  bun?: string;
}

/** Rejects if the source cannot be bundled, or the Bun of the target cannot be had. */
export async function buildExecutable({ outfile, target, bun }: ExecutableSettings): Promise<void> {
  // On the file system of the result, which is moved out of it.
  const folder = await mkdtemp(join(resolve(dirname(outfile)), ".build-"));
  try {
    await stageFiles(folder);
    const { outputs } = await Bun.build({
      entrypoints: ["src/program/wavecache.ts", ...threads.map((name) => `workers/${name}.ts`)].map((path) =>
        join(projectFolder, path),
      ),
      root: projectFolder,
      compile: {
        target,
        ...(bun !== undefined && { executablePath: bun }),
        outfile: join(folder, "wavecache"),
        assets: [join(folder, "dist"), join(folder, "node_modules")],
        // The program has its own configuration.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
      minify: { syntax: true, whitespace: true },
      sourcemap: "linked",
      plugins: [embedPackages(rootInside(target)), withoutWebWorkers],
    });
    await rename(outputs[0]!.path, outfile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The bundler embeds a folder under its own name, so both names have to be those of the project. */
async function stageFiles(folder: string): Promise<void> {
  const page = pageFolders(folder).built;
  await buildAhead({ source: pageFolders(projectFolder).source, built: page });
  await Bun.write(join(folder, commitFile), `${commit() ?? "unknown"}\n`);
  for (const path of filesOfPackages)
    await cp(join(projectFolder, path), join(folder, path), { recursive: true });
}

/** Where Bun shows the files of a single file. */
function rootInside(target: Bun.Build.CompileTarget): string {
  return target.startsWith("bun-windows") ? "B:/~BUN/root" : "/$bunfs/root";
}
