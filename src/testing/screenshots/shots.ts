import { resolve } from "node:path";
import type { Page } from "playwright-core";

const samples = resolve(import.meta.dir, "../../../data/samples");
const music = `${samples}/music-44k-stereo.mp3`;
const speech = `${samples}/speech-16k-mono.wav`;

export interface Shot {
  name: string;
  path: string;
  /** Brings the view into the state to see. */
  prepare?: (page: Page) => Promise<void>;
}

/** Levels and curves need some seconds to be worth an image. */
const livelyMs = 4_000;

/** Drags over the middle of the timeline. */
async function selectMiddle(page: Page): Promise<void> {
  const box = (await page.locator(".timeline-box").boundingBox())!;
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.35, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  await page.mouse.up();
}

export const shots: readonly Shot[] = [
  {
    name: "overview",
    path: "/",
    prepare: async (page) => {
      await page.waitForSelector(".live-row");
      await page.waitForTimeout(livelyMs);
    },
  },
  {
    name: "streams",
    path: "/streams",
    prepare: async (page) => {
      await page.waitForSelector(".row");
      await page.getByRole("button", { name: "Play Prelude in C" }).click();
      await page.waitForTimeout(1_500);
    },
  },
  {
    name: "stream",
    path: "/streams/prelude",
    prepare: async (page) => {
      await page.waitForSelector(".facts");
      await page.getByRole("complementary").getByRole("button", { name: "Play" }).click();
      await page.waitForTimeout(2_000);
    },
  },
  {
    name: "edit-tags",
    path: "/streams/prelude",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Edit" }).click();
      await page.getByLabel("Value of title").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "share",
    path: "/streams/evening",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Share" }).click();
      await page.getByRole("button", { name: "Make a link" }).click();
      await page.locator("dialog code").first().waitFor();
    },
  },
  {
    name: "uploads",
    path: "/streams",
    prepare: async (page) => {
      await page.locator("input[type=file]").setInputFiles([music, speech]);
      await page.getByText("verified").nth(1).waitFor();
      await page.getByRole("region", { name: "Uploads" }).getByRole("link").first().click();
      await page.getByRole("button", { name: "Remove", exact: true }).click();
      await page.getByRole("button", { name: "Undo" }).waitFor();
    },
  },
  {
    name: "nothing-found",
    path: "/streams",
    prepare: async (page) => {
      await page.getByRole("searchbox").fill("nothing like it");
      await page.waitForSelector(".empty");
    },
  },
  {
    name: "recordings",
    path: "/recordings",
    prepare: async (page) => {
      await page.waitForSelector(".device-day");
      await page.waitForTimeout(1_500);
    },
  },
  {
    name: "recording",
    path: "/recordings/studio",
    prepare: async (page) => {
      await page.waitForSelector(".timeline-box");
      await page.getByRole("button", { name: "Minute" }).click();
      await selectMiddle(page);
      await page.waitForTimeout(1_500);
    },
  },
  {
    name: "live",
    path: "/live",
    prepare: async (page) => {
      for (const name of ["kitchen", "studio"]) {
        await page.getByRole("button", { name: `Listen ${name}` }).click();
      }
      await page.waitForTimeout(livelyMs);
    },
  },
  {
    name: "devices",
    path: "/devices",
    prepare: async (page) => {
      await page.waitForSelector(".board");
      await page.getByRole("button", { name: "Mode", exact: true }).first().click();
      await page.waitForTimeout(1_000);
    },
  },
  {
    name: "events",
    path: "/events",
    prepare: async (page) => void (await page.waitForSelector(".event-line")),
  },
  {
    name: "storage",
    path: "/storage",
    prepare: async (page) => {
      await page.waitForSelector(".gauges");
      await page.getByText("What goes next").waitFor();
      await page.waitForTimeout(500);
    },
  },
  {
    name: "access",
    path: "/access",
    prepare: async (page) => {
      await page.getByRole("heading", { name: "Audit" }).waitFor();
      await page.waitForTimeout(500);
    },
  },
  {
    name: "new-token",
    path: "/access",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByRole("dialog").waitFor();
    },
  },
  { name: "record", path: "/record" },
  { name: "library", path: "/library", prepare: async (page) => void (await page.waitForSelector(".row")) },
  {
    name: "sign-in",
    path: "/",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForSelector(".sign-in");
    },
  },
];
