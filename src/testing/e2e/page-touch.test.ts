/** The page on a phone, by touch: the bar of views, two fingers on a timeline, a long touch on a button of a device. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, CDPSession, Page } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageScene } from "../harness/page-scene.ts";
import { PageSession } from "../harness/page-session.ts";
import { useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-touch.test.ts");

const limitMs = 60_000;
const phone = {
  viewport: { width: 360, height: 740 },
  hasTouch: true,
  isMobile: true,
  deviceScaleFactor: 2,
} as const;
/** WCAG 2.2, target size: smaller ones need room around them. */
const minTargetPx = 24;

type Point = [x: number, y: number];

/** Fingers that are put on the screen, moved and lifted. */
class Fingers {
  readonly #session: CDPSession;

  private constructor(session: CDPSession) {
    this.#session = session;
  }

  static async on(page: Page): Promise<Fingers> {
    return new Fingers(await page.context().newCDPSession(page));
  }

  async down(...points: Point[]): Promise<void> {
    await this.#dispatch("touchStart", points);
  }

  async move(...points: Point[]): Promise<void> {
    await this.#dispatch("touchMove", points);
  }

  async up(): Promise<void> {
    await this.#dispatch("touchEnd", []);
  }

  async #dispatch(type: "touchStart" | "touchMove" | "touchEnd", points: Point[]): Promise<void> {
    const touchPoints = points.map(([x, y], id) => ({ x, y, id }));
    await this.#session.send("Input.dispatchTouchEvent", { type, touchPoints });
  }
}

/** Runs in the page: buttons and links that are too small to hit. */
function smallTargets(minPx: number): string[] {
  const targets = Array.from(document.querySelectorAll("button, a, select, input:not([hidden])"));
  return targets
    .filter((target) => {
      const { width, height } = target.getBoundingClientRect();
      const isInText = getComputedStyle(target).display === "inline";
      return !isInText && width > 1 && height > 1 && (width < minPx || height < minPx);
    })
    .map((target) => target.outerHTML.slice(0, 100));
}

/** The times at both ends of a timeline, in seconds of the day. */
async function spanOfTimeline(page: Page): Promise<number> {
  const box = (await page.locator(".timeline-box").boundingBox())!;
  const times: number[] = [];
  for (const x of [box.x + 2, box.x + box.width - 2]) {
    await page.touchscreen.tap(x, box.y + box.height / 2);
    const text = (await page.locator(".timeline-readout").textContent())!;
    const [hours, minutes, seconds = "0"] = text.split(" ")[0]!.split(":");
    times.push(3600 * Number(hours) + 60 * Number(minutes) + Number(seconds));
  }
  return times[1]! - times[0]!;
}

describe.skipIf(chromiumPath === null)("the page on a phone", () => {
  let scene: PageScene;
  let browser: Browser;

  beforeAll(async () => {
    [scene, browser] = await Promise.all([PageScene.open({ name: "hall" }), launchChromium()]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await scene?.[Symbol.asyncDispose]();
  }, limitMs);

  test(
    "goes to every view by a touch of the bar, and has nothing too small to touch",
    async () => {
      await using session = await PageSession.open(browser, phone);
      const { page, errors } = session;
      await page.goto(scene.server.httpBase);
      const links = page.getByRole("navigation", { name: "Views" }).getByRole("link");
      // The page learns first what the visitor may do.
      await links.nth(9).waitFor();
      const names = await links.allTextContents();
      expect(names.length).toBe(10);
      for (const name of names) {
        await page.getByRole("link", { name, exact: true }).tap();
        await page.getByRole("heading", { name, level: 1 }).waitFor({ state: "attached" });
        await page.locator(".skeleton").first().waitFor({ state: "detached" });
        expect([name, await page.evaluate(smallTargets, minTargetPx)]).toEqual([name, []]);
      }
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "zooms a timeline by two fingers, and moves it by one",
    async () => {
      await using session = await PageSession.open(browser, phone);
      const { page } = session;
      const from = new Date(Date.now() - 1_800_000).toISOString();
      await page.goto(`${scene.server.httpBase}/recordings/hall?from=${from}`);
      await page.locator(".timeline-box").waitFor();
      const before = await spanOfTimeline(page);
      expect(before).toBeGreaterThan(200);
      const box = (await page.locator(".timeline-box").boundingBox())!;
      const y = box.y + box.height / 2;
      const fingers = await Fingers.on(page);
      await fingers.down([150, y], [210, y]);
      for (const out of [20, 40, 60]) await fingers.move([150 - out, y], [210 + out, y]);
      await fingers.up();
      const after = await spanOfTimeline(page);
      expect(after / before).toBeWithin(0.25, 0.45);
      const start = await page.locator(".timeline-readout").textContent();
      await fingers.down([100, y]);
      for (const x of [140, 180, 220]) await fingers.move([x, y]);
      await fingers.up();
      expect(await spanOfTimeline(page)).toBeCloseTo(after, -1);
      expect(await page.locator(".timeline-readout").textContent()).not.toBe(start);
      expect(await page.locator(".selection").count()).toBe(0);
    },
    limitMs,
  );

  test(
    "holds a button of a device by a long touch, and presses it by a short one",
    async () => {
      await using session = await PageSession.open(browser, phone);
      const { page } = session;
      await page.goto(`${scene.server.httpBase}/devices`);
      const button = page.getByRole("button", { name: "Mode", exact: true });
      await button.waitFor();
      await button.scrollIntoViewIfNeeded();
      const { x, y, width, height } = (await button.boundingBox())!;
      const fingers = await Fingers.on(page);
      await fingers.down([x + width / 2, y + height / 2]);
      await page.getByText("Mode held").first().waitFor();
      await fingers.up();
      await page.getByText("Mode released").first().waitFor();
      await button.tap();
      await page.getByText("Mode pressed").first().waitFor();
    },
    limitMs,
  );
});
