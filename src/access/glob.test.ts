import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Glob } from "./glob.ts";

/** What the stars mean, with no regard for time. */
function model(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern.startsWith("**")) {
    return model(pattern.slice(2), text) || (text !== "" && model(pattern, text.slice(1)));
  }
  if (pattern.startsWith("*")) {
    return model(pattern.slice(1), text) || (text !== "" && text[0] !== "/" && model(pattern, text.slice(1)));
  }
  return text[0] === pattern[0] && model(pattern.slice(1), text.slice(1));
}

describe("a glob", () => {
  test.each([
    ["streams/a", "streams/a", true],
    ["streams/a", "streams/ab", false],
    ["streams/*", "streams/a", true],
    ["streams/*", "streams/", true],
    ["library/*", "library/album/song", false],
    ["library/**", "library/album/song", true],
    ["library/*/song", "library/album/song", true],
    ["library/**/song", "library/a/b/song", true],
    ["**", "", true],
    ["a*a", "a", false],
    ["library/100%2A", "library/100*", true],
    ["library/100%2A", "library/1000", false],
  ])("%s matches %s: %p", (pattern, text, expected) => {
    expect(new Glob(pattern).matches(text)).toBe(expected);
  });

  test("matches what its stars mean, for any pattern and text", () => {
    const pattern = fc.array(fc.constantFrom("a", "b", "/", "*", "**"), { maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 10 });
    fc.assert(
      fc.property(pattern, text, (parts, of) => {
        // Three stars in a row are the longer one first, in both.
        expect(new Glob(parts.join("")).matches(of)).toBe(model(parts.join(""), of));
      }),
      { numRuns: 2_000 },
    );
  });

  test("reaches every prefix of what it matches", () => {
    const pattern = fc.array(fc.constantFrom("a", "b", "/", "*", "**"), { maxLength: 6 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, fc.nat(6), (parts, of, end) => {
        const glob = new Glob(parts.join(""));
        fc.pre(glob.matches(of));
        expect(glob.reaches(of.slice(0, end))).toBe(true);
      }),
    );
    expect(new Glob("streams/a*").reaches("recordings/")).toBe(false);
  });

  test("takes time in proportion to the text, whatever pattern would make others backtrack", () => {
    const glob = new Glob(`${"*a".repeat(60)}*b`);
    const began = performance.now();
    expect(glob.matches("a".repeat(2_000))).toBe(false);
    expect(glob.matches(`${"a".repeat(2_000)}cb`)).toBe(true);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
