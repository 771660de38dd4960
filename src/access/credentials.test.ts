import { describe, expect, test } from "bun:test";
import { type Credentials, takeCredentials } from "./credentials.ts";

function taken(headers: Record<string, string>, target = "/"): [Credentials, string] {
  const url = new URL(`http://localhost${target}`);
  return [takeCredentials(new Headers(headers), url), url.pathname + url.search];
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

describe("the credential of a request", () => {
  test.each([
    ["a Bearer header", { authorization: "Bearer wc_a" }, { secret: "wc_a" }],
    ["a Bearer header in other letters", { authorization: "bearer  wc_a" }, { secret: "wc_a" }],
    ["the password of Basic", basic("source:wc_a"), { secret: "wc_a" }],
    ["a password with a colon", basic("source:a:b"), { secret: "a:b" }],
    ["the name of Basic without a password", basic("wc_a:"), { secret: "wc_a" }],
    ["a subprotocol", { "sec-websocket-protocol": `x, token.${btoa("wc_a")}` }, { secret: "wc_a" }],
    ["a cookie", { cookie: "a=b; wavecache_session=s1" }, { session: "s1" }],
    ["nothing", { cookie: "a=b" }, {}],
  ])("may stand in %s", (_, headers, expected) => {
    expect(taken(headers)[0]).toEqual(expected);
  });

  test("is wrong in a header of another scheme, and not missing", () => {
    expect(taken({ authorization: "Digest x" })[0]).toEqual({ secret: "" });
    expect(taken({ authorization: "Bearer" })[0]).toEqual({ secret: "" });
  });

  test("is removed from the query, which otherwise stays as it is", () => {
    expect(taken({}, "/a?token=wc_a&limit=5")).toEqual([{ secret: "wc_a" }, "/a?limit=5"]);
    expect(taken({}, "/a?link=l1")).toEqual([{ link: "l1" }, "/a"]);
    expect(taken({}, "/a?x=%20y")).toEqual([{}, "/a?x=%20y"]);
    expect(taken({}, "/a?tokens=%20y")).toEqual([{}, "/a?tokens=%20y"]);
  });

  test("is removed from the query even if another one comes first", () => {
    const headers = { authorization: "Bearer wc_b" };
    expect(taken(headers, "/a?token=wc_a&token=wc_c&link=l")).toEqual([{ secret: "wc_b" }, "/a"]);
  });
});
