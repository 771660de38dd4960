import { describe, expect, test } from "bun:test";
import { describedCommands } from "./description.ts";
import { manualPage } from "./manual.ts";

const page = manualPage();

function render(...flags: string[]) {
  return Bun.spawnSync(["mandoc", ...flags], { stdin: Buffer.from(page) }).stdout.toString();
}

/** A bold letter is printed, taken back and printed again. */
function withoutOverstrike(text: string): string {
  const parts = text.split("\b");
  return parts.map((part, at) => (at < parts.length - 1 ? part.slice(0, -1) : part)).join("");
}

describe.skipIf(Bun.which("mandoc") === null)("the manual page", () => {
  test("is one that mandoc remarks nothing of but long lines and the missing date", () => {
    const remarks = render("-T", "lint").trimEnd().split("\n");
    expect(remarks.filter((line) => !/longer than 80 bytes|missing date/.test(line))).toEqual([]);
  });

  test("has every command with each of its options", () => {
    const text = withoutOverstrike(render("-T", "ascii", "-O", "width=200"));
    const commands = describedCommands();
    expect(commands.length).toBeGreaterThan(25);
    for (const { name, options } of commands) {
      expect(text).toContain(`   wavecache ${name}`);
      for (const { flag } of options) expect(text).toContain(flag);
    }
    expect(text).toContain("--no-play");
  });
});
