/**
 * Writes an image of each view of the page, in both themes and as on a phone, to look at:
 * `bun run screenshots [FOLDER]`. With `--readme` it writes the one image of the README instead.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../harness/chromium.ts";
import { Scene } from "./scene.ts";
import { shots } from "./shots.ts";

const sizes = {
  desk: { width: 1280, height: 800 },
  phone: { width: 360, height: 740 },
};
const themes = ["light", "dark"] as const;

async function main(args: string[]): Promise<void> {
  const isReadme = args.includes("--readme");
  const folder = resolve(
    args.find((arg) => !arg.startsWith("--")) ?? (isReadme ? "docs/images" : "screenshots"),
  );
  await mkdir(folder, { recursive: true });
  await using scene = await Scene.open({ isUsual: isReadme });
  await using browser = await launchChromium();
  if (isReadme) return await shootReadme(browser, scene.server.httpBase, folder);
  for (const theme of themes) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce" });
      const page = await context.newPage();
      await shootAll(page, scene.server.httpBase, (name) => join(folder, `${name}-${size}-${theme}.png`));
      await context.close();
    }
  }
}

async function shootAll(page: Page, base: string, pathOf: (name: string) => string): Promise<void> {
  for (const { name, path, prepare } of shots) {
    await page.goto(`${base}${path}`);
    await page.waitForSelector("h1", { state: "attached" });
    await prepare?.(page);
    await page.screenshot({ path: pathOf(name) });
  }
}

async function shootReadme(browser: Browser, base: string, folder: string): Promise<void> {
  const context = await browser.newContext({ viewport: sizes.desk, colorScheme: "light" });
  const page = await context.newPage();
  const { path, prepare } = shots.find(({ name }) => name === "stream")!;
  await page.goto(`${base}${path}`);
  await prepare?.(page);
  await page.screenshot({ path: join(folder, "page.png") });
}

await main(process.argv.slice(2));
