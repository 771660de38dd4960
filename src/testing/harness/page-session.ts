/** A browser tab on the page of a server, for tests. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { collectPageErrors } from "./chromium.ts";

/** Waits are for conditions; this long means that it never comes. */
const limitMs = 20_000;

export class PageSession {
  readonly page: Page;
  /** Errors of scripts, and violations of the policy. */
  readonly errors: readonly string[];
  readonly #context: BrowserContext;

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    this.errors = collectPageErrors(page);
  }

  static async open(browser: Browser, options: BrowserContextOptions = {}): Promise<PageSession> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(limitMs);
    return new PageSession(context, await context.newPage());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}

/** Uploads a file of `data/samples` under this id, with tags. */
export async function putSample(
  base: string,
  id: string,
  path: string,
  tags: Record<string, string> = {},
): Promise<void> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(tags)) query.append(`tag.${key}`, value);
  const address = `${base}/api/streams/${id}/audio?${query.toString()}`;
  const answer = await fetch(address, { method: "PUT", body: Bun.file(path) });
  if (!answer.ok) throw new Error(await answer.text());
}
