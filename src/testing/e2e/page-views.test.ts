/** Each view with something to see in it: accessible, within the width of a phone, and operated by keys alone. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { axeFindings } from "../harness/axe.ts";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageScene } from "../harness/page-scene.ts";
import { PageSession } from "../harness/page-session.ts";
import { useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-views.test.ts");

const limitMs = 60_000;
/** More than any view has: each event has a row, and the list grows while the tests run. */
const maxFocusable = 400;

/** Where the focus is after a key. */
interface Focus {
  /** What is named aloud; undefined once the focus has left the page. */
  name: string | undefined;
  /** In the window, and nothing lies over its middle. */
  isSeen: boolean;
  hasRing: boolean;
}

/** Runs in the page. */
function describeFocus(): Focus {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement) || element === document.body) {
    return { name: undefined, isSeen: false, hasRing: false };
  }
  const { left, top, width, height } = element.getBoundingClientRect();
  const found = document.elementFromPoint(left + width / 2, top + height / 2);
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const name = element.getAttribute("aria-label") ?? element.textContent?.trim();
  return {
    name: name === undefined || name === "" ? element.outerHTML.slice(0, 80) : name,
    isSeen: found !== null && (element.contains(found) || found.contains(element)),
    hasRing: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2,
  };
}

/** Every place that the Tab key reaches, from the top of the page until the focus leaves it. */
async function walk(page: Page): Promise<Focus[]> {
  const found: Focus[] = [];
  while (found.length < maxFocusable) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(describeFocus);
    if (focus.name === undefined) return found;
    found.push(focus);
  }
  throw new Error(`the focus does not leave the page: ${JSON.stringify(found.slice(-4))}`);
}

describe.skipIf(chromiumPath === null)("the views of the page", () => {
  let scene: PageScene;
  let browser: Browser;

  beforeAll(async () => {
    [scene, browser] = await Promise.all([PageScene.open(), launchChromium()]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await scene?.[Symbol.asyncDispose]();
  }, limitMs);

  test.each([
    ["dark", 1280],
    ["light", 360],
  ] as const)(
    "have nothing that axe finds, and fit, in the %s theme at %p pixels",
    async (colorScheme, width) => {
      const viewport = { width, height: 740 };
      const options = { colorScheme, viewport, reducedMotion: "reduce", bypassCSP: true } as const;
      await using session = await PageSession.open(browser, options);
      const { page, errors } = session;
      for (const [path, shown] of scene.views) {
        await page.goto(`${scene.server.httpBase}${path}`);
        await page.locator(shown).first().waitFor();
        expect([path, await axeFindings(page)]).toEqual([path, []]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([path, overflow]).toEqual([path, 0]);
      }
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test.each([1280, 360])(
    "are walked through by the Tab key, with a focus that is seen, and without a trap, at %p pixels",
    async (width) => {
      const viewport = { width, height: 640 };
      await using session = await PageSession.open(browser, { viewport, reducedMotion: "reduce" });
      const { page } = session;
      for (const [path, shown] of scene.views) {
        await page.goto(`${scene.server.httpBase}${path}`);
        await page.locator(shown).first().waitFor();
        const found = await walk(page);
        // The views stand before everything else.
        expect([path, found.length > 10]).toEqual([path, true]);
        const hidden = found.filter(({ isSeen, hasRing }) => !isSeen || !hasRing);
        expect([path, hidden]).toEqual([path, []]);
      }
    },
    limitMs,
  );
});
