import { expect, test } from "bun:test";
import { parseAddress } from "./address.ts";

test.each([
  ["localhost:9999", "localhost", 9999],
  ["localhost", "localhost", 1234],
  ["192.168.0.9:1", "192.168.0.9", 1],
  ["[::1]:9999", "::1", 9999],
  ["[fe80::1%eth0]", "fe80::1%eth0", 1234],
])("%s is an address", (text, host, port) => {
  expect(parseAddress("tls", text, 1234)).toEqual({ host, port });
});

test.each([
  "",
  ":9999",
  "::1",
  "host:",
  "host:0",
  "host:65536",
  "host:port",
  "tls://host:1",
  "a b",
  "host:1/x",
])("%j is no address, and the error names the option", (text) => {
  expect(() => parseAddress("tls", text, 1234)).toThrow(`--tls is no address: "${text}"`);
});
