import { expect, test } from "bun:test";
import { AddressList, loopbackNetworks } from "./address-list.ts";

test("the loopback networks are this machine, in both families", () => {
  const list = AddressList.parse(loopbackNetworks)!;
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    expect(list.has(address), address).toBe(true);
  for (const address of ["128.0.0.1", "192.168.0.1", "fe80::1", "::2"])
    expect(list.has(address), address).toBe(false);
});

test("a list may hold home networks and links, in both families", () => {
  const list = AddressList.parse(
    "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1/128,fc00::/7,fe80::/10",
  )!;
  const inside = ["127.0.0.1", "10.255.0.1", "172.31.9.9", "192.168.1.7", "169.254.1.1", "::1", "fd00::7"];
  for (const address of [...inside, "fe80::1", "fe80::1%eth0", "::ffff:192.168.1.7"])
    expect(list.has(address), address).toBe(true);
  for (const address of [
    "8.8.8.8",
    "172.32.0.1",
    "11.0.0.1",
    "2001:db8::1",
    "::ffff:8.8.8.8",
    "",
    "nonsense",
  ])
    expect(list.has(address), address).toBe(false);
});

test("a list has networks and addresses; any other entry makes it invalid", () => {
  const list = AddressList.parse("203.0.113.0/24, 2001:db8::5")!;
  expect(list.has("203.0.113.9")).toBe(true);
  expect(list.has("2001:db8::5")).toBe(true);
  expect(list.has("2001:db8::6")).toBe(false);
  expect(AddressList.parse("0.0.0.0/0,::/0")!.has("8.8.8.8")).toBe(true);
  for (const bad of ["", "1.2.3.4/33", "1.2.3", "::/129", "host", "1.2.3.4/-1", "1.2.3.4,"])
    expect(AddressList.parse(bad), bad).toBeUndefined();
});
