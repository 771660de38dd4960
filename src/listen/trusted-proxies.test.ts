import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AddressList } from "../base/address-list.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const proxies = new TrustedProxies(AddressList.parse("127.0.0.1,10.0.0.0/8,2001:db8::/32"));
const from = (forwarded: string) => new Headers({ "x-forwarded-for": forwarded });

describe("the client behind trusted proxies", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["192.0.2.7, 10.0.0.5", "192.0.2.7"],
    // What the client itself claims stands before its address.
    ["127.0.0.1, 192.0.2.7", "192.0.2.7"],
    ["10.0.0.9,192.0.2.7,10.1.1.1", "192.0.2.7"],
    ["192.0.2.7:4711", "192.0.2.7"],
    ["[2001:470::7]:4711", "2001:470::7"],
    ["2001:470::7", "2001:470::7"],
    // All of them are proxies: the first one is as far as one can see.
    ["10.0.0.9, 10.0.0.5", "10.0.0.9"],
    // Nobody knows what is before an entry that no proxy writes.
    ["192.0.2.7, unknown, 10.0.0.5", "10.0.0.5"],
    ["unknown", "127.0.0.1"],
    ["", "127.0.0.1"],
    ["999.0.2.7", "127.0.0.1"],
  ])("of %p is %p", (forwarded, client) => {
    expect(proxies.clientOf("127.0.0.1", from(forwarded))).toBe(client);
  });

  test("is the peer if that is no trusted proxy, or if nobody is trusted", () => {
    expect(proxies.clientOf("192.0.2.1", from("127.0.0.1"))).toBe("192.0.2.1");
    expect(proxies.clientOf("127.0.0.1", new Headers())).toBe("127.0.0.1");
    expect(new TrustedProxies(undefined).clientOf("127.0.0.1", from("192.0.2.7"))).toBe("127.0.0.1");
  });

  test("cannot be chosen by the client, whatever it sends", () => {
    fc.assert(
      fc.property(fc.string(), (claimed) => {
        const forwarded = `${claimed.replace(/[^\x20-\x7e]/g, "")}, 192.0.2.7, 10.0.0.5`;
        expect(proxies.clientOf("127.0.0.1", from(forwarded))).toBe("192.0.2.7");
      }),
    );
  });

  test("is secure if a trusted proxy says so", () => {
    const headers = new Headers({ "x-forwarded-proto": "http, HTTPS" });
    expect(proxies.isSecure("10.0.0.1", headers)).toBe(true);
    expect(proxies.isSecure("192.0.2.1", headers)).toBe(false);
    expect(proxies.isSecure("10.0.0.1", new Headers({ "x-forwarded-proto": "https, http" }))).toBe(false);
  });
});
