/** Plugins of the bundler, for packages that do not survive it as they are. */
import type { BunPlugin } from "bun";
import { dirname } from "node:path";
import { projectFolder } from "../../base/project-folder.ts";

/** Packages that find files by `__dirname`, in whose place the bundler leaves the folder of the build. */
const readers = /node_modules[\\/](opusscript|grpc-health-check|@grpc[\\/](grpc-js|reflection))[\\/].*\.js$/;

/** What they read. A single file has it under the same paths. */
export const filesOfPackages = [
  "node_modules/opusscript/build/opusscript_native_wasm.wasm",
  "node_modules/grpc-health-check/proto",
  "node_modules/@grpc/grpc-js/proto",
  "node_modules/@grpc/reflection/build/proto/grpc",
];

/** `root` is the folder of the files inside the single file. */
export function embedPackages(root: string): BunPlugin {
  return {
    name: "embed-packages",
    setup(build) {
      build.onLoad({ filter: readers }, async ({ path }) => {
        const inside = `${root}${path.slice(projectFolder.length).replaceAll("\\", "/")}`;
        const contents = (await Bun.file(path).text())
          .replaceAll("__filename", JSON.stringify(inside))
          .replaceAll("__dirname", JSON.stringify(dirname(inside)));
        return { contents, loader: "js" };
      });
    },
  };
}

/**
 * The decoders also have a form that runs in a web worker, and is not used here. They declare that their modules have no
 * side effects, so the bundler drops that form, but not the line that gives it a name.
 */
export const withoutWebWorkers: BunPlugin = {
  name: "without-web-workers",
  setup(build) {
    build.onLoad({ filter: /node_modules[\\/](opus|mpg123)-decoder[\\/]index\.js$/ }, async ({ path }) => {
      const text = await Bun.file(path).text();
      const contents = text.replaceAll(/^(import|assignNames).*WebWorker.*$|, \w+WebWorker\b/gm, "");
      return { contents, loader: "js" };
    });
  },
};
