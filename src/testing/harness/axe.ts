/** Accessibility of a page, as axe-core sees it. */
import { resolve } from "node:path";
import type { Page } from "playwright-core";

const script = resolve(import.meta.dir, "../../../node_modules/axe-core/axe.min.js");

/** What axe finds, one line a finding: the rule, and the elements. The policy of the page must be bypassed. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: script });
  return await page.evaluate(async () => {
    // Injected before; the page itself has no such name.
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}
