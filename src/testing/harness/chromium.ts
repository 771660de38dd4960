/** Chromium for tests of the page, which are skipped where it is not installed. */
import { type Browser, chromium, type Page } from "playwright-core";

export const chromiumPath =
  Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");

export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: chromiumPath!,
    // Chromium has no sandbox for root, whom CI runs as.
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
  });
}

/** Says on stderr that a test file is skipped. */
export function reportWithoutChromium(file: string): void {
  if (chromiumPath !== null) return;
  process.stderr.write(`${file} is skipped: it needs Chromium, which is not installed\n`);
}

/** Errors of a page: those of its scripts, and violations of its policy. */
export function collectPageErrors(page: Page): string[] {
  const found: string[] = [];
  page.on("pageerror", (error) => found.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      found.push(message.text());
    }
  });
  return found;
}
