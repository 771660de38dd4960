import { describe, expect, test } from "bun:test";
import { GrantError, Grants } from "./grants.ts";

function refusal(text: string): string {
  try {
    Grants.parse(text);
  } catch (error) {
    if (error instanceof GrantError) return error.message;
    throw error;
  }
  return "not refused";
}

const here = "127.0.0.1";

describe("grants", () => {
  test("allow each of their actions on each of their resources, and nothing else", () => {
    const grants = Grants.parse("ingest,listen:recordings/kitchen,recordings/hall read:library/**");
    expect(grants.allows("ingest", "recordings/kitchen", here)).toBe(true);
    expect(grants.allows("listen", "recordings/hall", here)).toBe(true);
    expect(grants.allows("read", "library/a/b.wav", here)).toBe(true);
    expect(grants.allows("read", "recordings/kitchen", here)).toBe(false);
    expect(grants.allows("ingest", "recordings/kitchen2", here)).toBe(false);
    expect(grants.allows("list", "library/a", here)).toBe(false);
  });

  test("allow everything for *, and nothing without a grant", () => {
    expect(Grants.everything.allows("admin", "server", here)).toBe(true);
    expect(Grants.parse("read").allows("read", "streams/x", here)).toBe(true);
    expect(Grants.parse("").allows("read", "streams/x", here)).toBe(false);
    expect(Grants.none.reaches("list", "streams/", here)).toBe(false);
  });

  test("hold only for the networks that they name", () => {
    const grants = Grants.parse("read,list:library/**@10.0.0.0/8,fd00::/8");
    expect(grants.allows("read", "library/a", "10.1.2.3")).toBe(true);
    expect(grants.allows("read", "library/a", "::ffff:10.1.2.3")).toBe(true);
    expect(grants.allows("read", "library/a", "fd00::1")).toBe(true);
    expect(grants.allows("read", "library/a", "11.1.2.3")).toBe(false);
    expect(grants.allows("read", "library/a", "")).toBe(false);
    expect(grants.reaches("list", "library/", "11.1.2.3")).toBe(false);
  });

  test("reach a folder if they allow anything in it", () => {
    const grants = Grants.parse("list:streams/kitchen-* list:devices/a:1");
    expect(grants.reaches("list", "streams/", here)).toBe(true);
    expect(grants.reaches("list", "devices/", here)).toBe(true);
    expect(grants.reaches("list", "library/", here)).toBe(false);
  });

  test("are printed as they were written", () => {
    const text = "ingest,listen:recordings/kitchen *:library/a%20b@10.0.0.0/8";
    expect(Grants.parse(`  ${text}\n`).toString()).toBe(text);
    expect(Grants.parse(text).allows("remove", "library/a b", "10.0.0.1")).toBe(true);
  });

  test.each([
    ["fly:streams/x", '"fly" is no action'],
    ["read:songs/x", '"songs/x" is no resource'],
    ["read:streams/", '"streams/" is no resource'],
    ["read:streams/%zz", "is no resource"],
    ["read:streams/x@10.0.0", '"10.0.0" is no network'],
    [":streams/x", "is no grant"],
    ["read,:streams/x", '"" is no action'],
    [`read:streams/${"x".repeat(600)}`, "longer than 512"],
    ["read ".repeat(1_001), "1000 are allowed"],
  ])("refuse %s and say what is wrong", (text, expected) => {
    expect(refusal(text)).toContain(expected);
  });
});
