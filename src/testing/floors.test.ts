import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * The floors of the source (see src/README.md). A file imports from lower floors or from its own folder. Folders on
 * the same floor do not import each other, and neither do gateways. No import cycle exists.
 */
const floors: Record<string, number> = {
  "src/base": 0,
  "src/codec": 1,
  "src/wire": 1,
  "src/lane": 2,
  "src/store": 2,
  "src/bus": 3,
  "src/pool": 3,
  workers: 3,
  "src/access": 4,
  "src/engine": 4,
  "src/listen": 5,
  "src/gateways": 6,
  "src/client": 6,
  "src/config": 7,
  "src/admin": 8,
  "src/ui": 8,
  src: 9,
  "src/cli": 10,
  "src/program": 11,
};

/** Folders without I/O and clocks. */
const pure = new Set(["src/codec", "src/wire"]);
const impure =
  /^(node:fs|node:net|node:worker_threads|node:child_process|bun:sqlite)|\bDate\.now\(|\bperformance\.now\(/m;

const root = join(import.meta.dir, "../..");
const imports =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g;

interface Import {
  from: string;
  to: string;
}

function productFiles(): string[] {
  const found = [...new Glob("{src,workers}/**/*.{ts,tsx}").scanSync(root)];
  return found
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !/\.test\.ts$|^src\/testing\//.test(path));
}

function importsOf(path: string): Import[] {
  const text = readFileSync(join(root, path), "utf8");
  const specifiers = Array.from(text.matchAll(imports), (match) => match[1] ?? match[2] ?? match[3]!);
  return specifiers
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({
      from: path,
      to: relative(root, join(root, dirname(path), specifier)).replaceAll("\\", "/"),
    }));
}

/** The row of the table for a path: `src/gateways`, `workers`, or `src` for files directly in it. */
function houseFolder(path: string): string {
  const [first, second, third] = path.split("/");
  if (first === "workers") return "workers";
  return third === undefined ? "src" : `${first}/${second}`;
}

function gateway(path: string): string {
  return path.split("/")[2]!;
}

/** The import cycles that a depth-first search from each file meets first, each as a line of paths. */
function cyclesIn(all: readonly Import[]): string[] {
  const targets = Map.groupBy(all, ({ from }) => from);
  const done = new Set<string>();
  const trail: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string) => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    trail.push(path);
    for (const { to } of targets.get(path) ?? []) visit(to);
    trail.pop();
    done.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return cycles;
}

function isAllowed({ from, to }: Import): boolean {
  if (to === "package.json") return true;
  const [fromFolder, toFolder] = [houseFolder(from), houseFolder(to)];
  if (fromFolder === "src/gateways" && toFolder === "src/gateways") return gateway(from) === gateway(to);
  if (fromFolder === toFolder) return true;
  return floors[toFolder]! < floors[fromFolder]!;
}

describe("the floors", () => {
  const files = productFiles();
  const all = files.flatMap(importsOf);

  test("cover every folder", () => {
    const unknown = new Set(files.map(houseFolder).filter((folder) => floors[folder] === undefined));
    expect([...unknown]).toEqual([]);
    expect(files.length).toBeGreaterThan(40);
    expect(all.length).toBeGreaterThan(100);
  });

  test("hold: no file imports from the same floor or a higher one", () => {
    expect(all.filter((each) => !isAllowed(each)).map((each) => `${each.from} -> ${each.to}`)).toEqual([]);
  });

  test("have no import cycles, not even of types", () => {
    expect(cyclesIn(all)).toEqual([]);
  });

  test("detect an import cycle", () => {
    const cycle: Import[] = [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
      { from: "c", to: "a" },
      { from: "c", to: "d" },
    ];
    expect(cyclesIn(cycle)).toEqual(["a -> b -> c -> a"]);
  });

  test("let only tests and the bench import src/testing", () => {
    expect(all.filter((each) => each.to.startsWith("src/testing/"))).toEqual([]);
  });

  test("keep I/O and clocks out of the first floor", () => {
    const guilty = files
      .filter((path) => pure.has(houseFolder(path)))
      .filter((path) => {
        const text = readFileSync(join(root, path), "utf8");
        return impure.test(text) || /from "node:fs/.test(text);
      });
    expect(guilty).toEqual([]);
  });

  test("detect a forbidden import", () => {
    const wrong: Import[] = [
      { from: "src/store/streams/commit.ts", to: "src/lane/ring.ts" },
      { from: "src/wire/audio-cache.ts", to: "src/engine/streams/streams.ts" },
      { from: "workers/write.ts", to: "src/pool/pool.ts" },
      { from: "src/gateways/http/streams.ts", to: "src/gateways/live/live.ts" },
      { from: "src/client/legacy/upload.ts", to: "src/gateways/http/streams.ts" },
    ];
    expect(wrong.filter(isAllowed)).toEqual([]);
  });
});
