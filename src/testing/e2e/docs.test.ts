/**
 * Follows the documents as a reader would: every code block that is marked as runnable, in its order, against a real
 * server. Behind the language of a block stand
 *
 *     runnable       run it, `sh` by bash and `ts` by Bun: it must exit with 0 and print what the page shows below it
 *     background     start it, and leave it running until the end of its page
 *     eventually     repeat it until it succeeds
 *     needs=PROGRAM  skip it where the machine does not have this program
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type CodeBlock, codeBlocks, documents, readDocument } from "../harness/documents.ts";
import { DocumentSite, type Outcome } from "../harness/document-site.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const eventuallyLimitMs = 20_000;

/**
 * The lines of the page that were not printed, from the first one on. `...` stands for anything, and other lines may lie
 * between.
 */
function missingLines(text: string, output = ""): string[] {
  const expected = output.split("\n").filter((line) => line.trim() !== "");
  for (const line of text.split("\n")) {
    const pattern = expected[0]?.trim().split("...").map(RegExp.escape).join(".*");
    if (pattern !== undefined && new RegExp(`^\\s*${pattern}\\s*$`).test(line)) expected.shift();
  }
  return expected;
}

function check(block: CodeBlock, { code, text }: Outcome): void {
  const missing = missingLines(text, block.output);
  if (code !== 0 || missing.length > 0) {
    throw new Error(`exit code ${code}, not printed: ${JSON.stringify(missing)}, but:\n${text}`);
  }
}

async function checkEventually(site: DocumentSite, block: CodeBlock): Promise<void> {
  let reason = "";
  const succeeds = async () => {
    const outcome = await site.run(block);
    try {
      check(block, outcome);
      return true;
    } catch (error) {
      reason = String(error);
      return false;
    }
  };
  await until("a run that succeeds", eventuallyLimitMs, succeeds, () => reason);
}

function lacksProgram({ marks }: CodeBlock): boolean {
  const needed = ["bash", ...marks.flatMap((mark) => /^needs=(.+)/.exec(mark)?.[1] ?? [])];
  return needed.some((program) => Bun.which(program) === null);
}

const pages = documents().map((path) => ({
  path,
  blocks: codeBlocks(readDocument(path)).filter(({ marks }) => marks.includes("runnable")),
}));

test("commands to follow are in the README and most pages of docs/", () => {
  expect(pages.filter(({ blocks }) => blocks.length > 0).length).toBeGreaterThan(5);
});

test("docs/operations.md has every metric with its type", async () => {
  await using server = await TestServer.start();
  const scraped = await (await fetch(`${server.httpBase}/metrics`)).text();
  const served = Array.from(
    scraped.matchAll(/^# TYPE (wavecache_\w+) (\w+)$/gm),
    ([, name, type]) => `${name} ${type}`,
  );
  const listed = Array.from(
    readDocument("docs/operations.md").matchAll(/^\| `(wavecache_\w+)` +\| +(\w+) +\|/gm),
    ([, name, type]) => `${name} ${type}`,
  );
  expect(served.length).toBeGreaterThan(20);
  expect(listed.toSorted()).toEqual(served.toSorted());
});

test("an output that differs from the page's is noticed", () => {
  expect(missingLines("a 12 ms\nb\nc", "a ... ms\nc\n")).toEqual([]);
  expect(missingLines("a 12 ms\nb\nc", "c\nb\n")).toEqual(["b"]);
  expect(missingLines("ab", "a\n")).toEqual(["a"]);
});

for (const { path, blocks } of pages.filter(({ blocks }) => blocks.length > 0)) {
  describe(path, () => {
    let site: DocumentSite;
    beforeAll(async () => {
      site = await DocumentSite.open();
    });
    afterAll(async () => await site.dispose());

    for (const block of blocks) {
      const title = `line ${block.line}: ${block.text.trim().split("\n")[0]}`;
      test.skipIf(lacksProgram(block))(title, async () => {
        if (block.marks.includes("background")) site.start(block);
        else if (block.marks.includes("eventually")) await checkEventually(site, block);
        else check(block, await site.run(block));
      });
    }
  });
}
