import { describe, expect, test } from "bun:test";
import { ConfigError } from "../../config/schema.ts";
import { isTokenCommand, readTokenCommand, type TokenCommand } from "./command.ts";

function read(...args: string[]): TokenCommand | undefined {
  return readTokenCommand(["token", ...args], { WAVECACHE_CACHE_DIR: "/one" });
}

describe("the command line of tokens", () => {
  test("is recognised by its first argument", () => {
    expect([["token"], ["token", "list"], [], ["--token"]].map(isTokenCommand)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("has the grants, the expiry, the note and the limits of a new token", () => {
    const flags = ["--grant", "ingest:recordings/a", "--grant", "read", "--note", "007", "--json"];
    const limits = ["--limit", "connections=3", "--limit", "uploads=100"];
    const before = Date.now();
    const command = read("create", ...flags, ...limits, "--expires", "90d", "--cache-dir", "/two");
    if (command?.name !== "create") throw new Error(`got ${command?.name}`);
    expect(command).toMatchObject({ cacheDir: "/two", json: true });
    expect(command.spec.grants.toString()).toBe("ingest:recordings/a read");
    expect(command.spec).toMatchObject({ note: "007", limits: { connections: 3, uploads: 100 } });
    expect(command.spec.expiresAt! - before).toBeWithin(90 * 86_400_000, 90 * 86_400_000 + 5_000);
  });

  test("lists and revokes", () => {
    expect(read("list")).toEqual({ name: "list", cacheDir: "/one", catalog: null, json: false });
    expect(read("revoke", "abc")).toMatchObject({ name: "revoke", id: "abc" });
  });

  test.each([
    [[], "create, list or revoke"],
    [["create"], "--grant"],
    [["create", "--grant", "fly"], '"fly" is no action'],
    [["create", "--grant", "read", "--expires", "soon"], "--expires"],
    [["create", "--grant", "read", "--limit", "songs=1"], "--limit"],
    [["create", "--grant", "read", "--limit", "uploads=0"], "--limit"],
    [["create", "--grant", "read", "--note", "x".repeat(201)], "--note"],
    [["create", "stray", "--grant", "read"], "stray"],
    [["revoke"], "id"],
    [["list", "--what"], "--what"],
  ])("refuses %j and names what is wrong", (args, culprit) => {
    let message = "not refused";
    try {
      read(...args);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      ({ message } = error);
    }
    expect(message).toContain(culprit);
  });
});
