import { describe, expect, test } from "bun:test";
import { parseHost } from "./host.ts";
import {
  isForeign,
  isOfOwnPage,
  isNavigation,
  type OriginRules,
  Origins,
  type PageHeaders,
} from "./origin.ts";

const program: PageHeaders = { origin: null, site: null, mode: null, destination: null };

function rules(scheme: "http" | "https", host: string, allowed = ""): OriginRules {
  return { scheme, host: parseHost(host), allowed: Origins.parse(allowed)! };
}

describe("an origin", () => {
  test.each([
    ["http", "localhost:8080", "http://localhost:8080"],
    ["http", "LOCALHOST:8080", "HTTP://localhost:8080"],
    ["http", "music.example", "http://music.example"],
    ["http", "music.example", "http://music.example:80"],
    ["https", "music.example:443", "https://music.example"],
    ["http", "[::1]:8080", "http://[::1]:8080"],
  ] as const)("of a page of this server is its own: %s, Host %s, Origin %s", (scheme, host, origin) => {
    expect(isForeign({ ...program, origin }, rules(scheme, host))).toBe(false);
  });

  test.each([
    ["http", "localhost:8080", "http://localhost:3000"],
    ["http", "localhost:8080", "http://localhost"],
    ["http", "localhost:8080", "https://localhost:8080"],
    ["https", "localhost:8080", "http://localhost:8080"],
    ["https", "music.example", "https://music.example:80"],
    ["http", "localhost:8080", "http://127.0.0.1:8080"],
    ["http", "localhost:8080", "http://localhost.:8080"],
    ["http", "localhost:8080", "http://evil.example:8080"],
    ["http", "localhost:8080", "http://localhost:8080.evil.example"],
    ["http", "localhost:8080", "http://localhost:8080@evil.example"],
    ["http", "localhost:8080", "http://localhost:8080/"],
    ["http", "localhost:8080", "http://localhost:8080, http://evil.example"],
    ["http", "localhost:8080", "ws://localhost:8080"],
    ["http", "localhost:8080", "file://"],
    ["http", "localhost:8080", "null"],
    ["http", "localhost:8080", ""],
    ["http", "localhost:8080", "localhost:8080"],
    ["http", "a b", "http://a b"],
    ["http", "", "null"],
  ] as const)("of any other page is foreign: %s, Host %s, Origin %s", (scheme, host, origin) => {
    expect(isForeign({ ...program, origin }, rules(scheme, host))).toBe(true);
  });

  test.each([["https://music.example"], ["https://music.example:443"], ["http://[::1]:3000"], ["file://"]])(
    "of an allowed page is not foreign: %s",
    (origin) => {
      const allowed = "https://music.example, http://[::1]:3000,file://";
      expect(isForeign({ ...program, origin, site: "cross-site" }, rules("http", "localhost", allowed))).toBe(
        false,
      );
    },
  );

  test.each([
    ["music.example"],
    ["*"],
    ["null"],
    ["https://"],
    ["https://music.example/"],
    ["https://*.music.example"],
    ["ftp://music.example"],
    ["file:///home"],
  ])("%s cannot be allowed", (entry) => {
    expect(Origins.parse(`http://good.example,${entry}`)).toBeUndefined();
  });
});

describe("a request that changes something by a cookie", () => {
  const allowed = Origins.parse("https://music.example,https://player.example")!;
  const isOwnPage = (origin: string, host: string) =>
    isOfOwnPage(new Headers({ origin, host }), "http", allowed);

  test.each([
    ["http://music.example:8080", "music.example:8080"],
    // A proxy speaks TLS, and passes the Host on.
    ["https://music.example", "music.example"],
  ])("comes from our page at %s", (origin, host) => {
    expect(isOwnPage(origin, host)).toBe(true);
  });

  test.each([
    ["https://player.example", "music.example"],
    ["https://other.example", "other.example"],
    ["http://music.example:8081", "music.example:8080"],
    ["null", "music.example"],
  ])("comes from another page at %s", (origin, host) => {
    expect(isOwnPage(origin, host)).toBe(false);
  });
});

describe("a request without an Origin", () => {
  const local = rules("http", "localhost:8080");

  test.each([[null], ["none"], ["same-origin"]])("comes from a program, the user or our page: %s", (site) => {
    expect(isForeign({ ...program, site }, local)).toBe(false);
  });

  test.each([["same-site"], ["cross-site"], ["anything"], [""]])("comes from a foreign page: %j", (site) => {
    expect(isForeign({ ...program, site }, local)).toBe(true);
  });

  test("is a navigation only if it fills a tab", () => {
    const link: PageHeaders = { ...program, site: "cross-site", mode: "navigate", destination: "document" };
    expect(isNavigation(link)).toBe(true);
    expect(isNavigation({ ...link, destination: "iframe" })).toBe(false);
    expect(isNavigation({ ...link, mode: "no-cors" })).toBe(false);
    expect(isNavigation({ ...link, origin: "null" })).toBe(false);
    expect(isNavigation(program)).toBe(false);
  });
});
