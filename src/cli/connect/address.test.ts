import { expect, test } from "bun:test";
import { parseAddress, webSocketUrl } from "./address.ts";

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

test.each([
  ["ws://host/other?a=b", "ws://host/other?a=b"],
  ["wss://host", "wss://host"],
  ["http://host:8080", "ws://host:8080/audio"],
  ["https://host/", "wss://host/audio"],
  ["HTTP://host:1/proxy/audio", "ws://host:1/proxy/audio"],
  ["host", "ws://host:8080/audio"],
  ["host:9000", "ws://host:9000/audio"],
  ["[::1]:9000", "ws://[::1]:9000/audio"],
])("%s is the server %s", (text, url) => {
  expect(webSocketUrl("server", text, 8080, "/audio")).toBe(url);
});

test.each(["", "ftp://host", "http://", "host:port", "a b"])("%j is no server", (text) => {
  expect(() => webSocketUrl("server", text, 8080, "/audio")).toThrow(`--server is no address: "${text}"`);
});
