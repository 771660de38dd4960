import { expect, test } from "bun:test";
import { authorization, shownUrl, tokenIn } from "./credential.ts";

test("a token stands in a header", () => {
  expect(authorization("wc_1")).toEqual({ authorization: "Bearer wc_1" });
  expect(authorization(undefined)).toEqual({});
});

test("the token of an address is found, wherever it stands", () => {
  expect(tokenIn("ws://host/audio?token=wc_1")).toBe("wc_1");
  expect(tokenIn("ws://host/audio?a=b&token=wc%5F1&c=d")).toBe("wc_1");
  for (const other of ["ws://host/audio", "ws://host/audio?token=", "ws://host/token=1", "ws://h/?link=x"])
    expect(tokenIn(other)).toBeUndefined();
});

test("an address is shown without its credentials", () => {
  expect(shownUrl("ws://host/audio?a=b&token=wc_1&c=d&link=x#y")).toBe(
    "ws://host/audio?a=b&token=***&c=d&link=***#y",
  );
  expect(shownUrl("ws://host/audio")).toBe("ws://host/audio");
});
