import { describe, expect, test } from "bun:test";
import { AddressList } from "../../../base/address-list.ts";
import { destinationOf } from "./destination.ts";

function resolvesTo(...addresses: string[]) {
  return () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
}

async function addressOf(addresses: string[], allowed?: string): Promise<string> {
  const list = allowed === undefined ? undefined : AddressList.parse(allowed);
  return await destinationOf("hook.example", list, resolvesTo(...addresses)).then(
    ({ address }) => address,
    (error: Error) => error.message,
  );
}

describe("the destination of a webhook", () => {
  test("is the first public address", async () => {
    expect(await addressOf(["10.0.0.1", "93.184.216.34", "8.8.8.8"])).toBe("93.184.216.34");
    expect(await addressOf(["2a00:1450::1"])).toBe("2a00:1450::1");
  });

  test.each([
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "fd00::1",
    "fe80::1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
  ])("is not %s, which is private, unless the operator allows it", async (address) => {
    expect(await addressOf([address])).toContain("private");
    expect(await addressOf([address], address.replace("::ffff:", ""))).toBe(address);
  });

  test("is nothing private in another network than the allowed one", async () => {
    expect(await addressOf(["10.0.0.1"], "127.0.0.0/8")).toContain("private");
  });
});
