/**
 * The files of the page, bundled from its source, or read from a folder where they were bundled before. All are small
 * and stay in memory, beside their gzip.
 */
import { Glob } from "bun";
import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";

/** A file as it is sent. */
export interface PageFile {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer>;
  /** Changes with the bytes. */
  etag: string;
}

export interface PageBundle {
  html: string;
  /** By name. */
  assets: ReadonlyMap<string, PageFile>;
}

export interface PageFolders {
  /** The source of the page; if it is not there, the page was built ahead. */
  source: string;
  built: string;
}

const htmlName = "index.html";
/** In the folder of the page, and in its addresses. */
const assetFolder = "assets";

const options = {
  target: "browser",
  minify: true,
  env: "disable",
  naming: {
    entry: "[name].[ext]",
    chunk: `${assetFolder}/[name]-[hash].[ext]`,
    asset: `${assetFolder}/[name]-[hash].[ext]`,
  },
} as const;

/** Rejects if the source cannot be bundled, or if there is no page at all. */
export async function openBundle({ source, built }: PageFolders): Promise<PageBundle> {
  return existsSync(join(source, htmlName)) ? await bundle(source) : await readBundle(built);
}

/** Bundles the page into a folder, for an installation without its source. */
export async function buildAhead({ source, built }: PageFolders): Promise<void> {
  const { html, assets } = await bundle(source);
  await mkdir(join(built, assetFolder), { recursive: true });
  await Bun.write(join(built, htmlName), html);
  await Promise.all(
    Array.from(assets, ([name, { bytes }]) => Bun.write(join(built, assetFolder, name), bytes)),
  );
}

async function bundle(source: string): Promise<PageBundle> {
  // Worklets run in a global scope of their own, so each is a script of its own, without parts of the page's scripts.
  const worklets = Array.from(new Glob("**/*.worklet.ts").scanSync(source), (path) => join(source, path));
  const [{ outputs }, scripts] = await Promise.all([
    Bun.build({ ...options, entrypoints: [join(source, htmlName)], splitting: true }),
    Bun.build({ ...options, entrypoints: worklets, naming: "[name].[ext]" }),
  ]);
  const page = outputs.find(({ path }) => basename(path) === htmlName)!;
  const files = [...outputs.filter((output) => output !== page), ...scripts.outputs];
  const assets = await Promise.all(
    files.map(
      async (file) =>
        [basename(file.path), fileOf(file.path, new Uint8Array(await file.arrayBuffer()))] as const,
    ),
  );
  return { html: await page.text(), assets: new Map(assets) };
}

async function readBundle(folder: string): Promise<PageBundle> {
  const html = await Bun.file(join(folder, htmlName)).text();
  const assets = await Promise.all(
    readdirSync(join(folder, assetFolder)).map(async (name) => {
      const path = join(folder, assetFolder, name);
      return [name, fileOf(path, await Bun.file(path).bytes())] as const;
    }),
  );
  return { html, assets: new Map(assets) };
}

export function fileOf(path: string, bytes: Uint8Array<ArrayBuffer>): PageFile {
  // Weak (RFC 9110, section 8.8.1): the gzip has it, too.
  const etag = `W/"${Bun.hash(bytes).toString(36)}"`;
  return { type: Bun.file(path).type, bytes, gzip: Bun.gzipSync(bytes, { level: 9 }), etag };
}

export function pageFolders(projectFolder: string): PageFolders {
  return { source: join(projectFolder, "src/ui"), built: join(projectFolder, "dist/page") };
}
