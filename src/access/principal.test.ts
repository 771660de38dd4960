import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../base/errors.ts";
import { Grants } from "./grants.ts";
import { nobody, openPrincipal, Principal } from "./principal.ts";

function token(grants: string, ended = new AbortController().signal): Principal {
  return new Principal({ kind: "token", id: "t1", grants: Grants.parse(grants), address: "10.0.0.1", ended });
}

function codeOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WavecacheError) return error.code;
    throw error;
  }
  return "allowed";
}

describe("a principal", () => {
  test("may do what its grants say", () => {
    const principal = token("read:streams/a");
    expect(codeOf(() => principal.require("read", "streams/a"))).toBe("allowed");
    expect(codeOf(() => principal.require("remove", "streams/a", "STREAM_UNKNOWN"))).toBe("FORBIDDEN");
    expect(codeOf(() => principal.requireSome("list", "streams"))).toBe("FORBIDDEN");
    expect(principal.name).toBe("token:t1");
  });

  test("does not learn whether a resource exists that it may not read", () => {
    const principal = token("read:streams/a remove:streams/b");
    expect(codeOf(() => principal.require("read", "streams/b", "STREAM_UNKNOWN"))).toBe("STREAM_UNKNOWN");
    expect(codeOf(() => principal.require("remove", "streams/b", "STREAM_UNKNOWN"))).toBe("allowed");
  });

  test("is asked for a credential if it has none", () => {
    expect(codeOf(() => nobody("").require("read", "streams/b", "STREAM_UNKNOWN"))).toBe("UNAUTHENTICATED");
    expect(codeOf(() => openPrincipal("").require("admin", "server"))).toBe("allowed");
  });

  test("may do nothing any more once it has ended", () => {
    const end = new AbortController();
    const principal = token("*", end.signal);
    end.abort();
    expect(principal.may("read", "streams/a")).toBe(false);
    expect(principal.maySome("list", "streams")).toBe(false);
    expect(codeOf(() => principal.require("read", "streams/a"))).toBe("UNAUTHENTICATED");
  });
});
