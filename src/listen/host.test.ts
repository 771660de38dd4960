import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HostNames, isOwnName, parseHost } from "./host.ts";

describe("a Host header", () => {
  test.each([
    ["localhost", { name: "localhost", port: undefined }],
    ["LocalHost:8080", { name: "localhost", port: 8080 }],
    ["music_box.local", { name: "music_box.local", port: undefined }],
    ["10.0.0.1:1", { name: "10.0.0.1", port: 1 }],
    ["[::1]", { name: "::1", port: undefined }],
    ["[FE80::A]:65535", { name: "fe80::a", port: 65_535 }],
    ["[::ffff:127.0.0.1]:80", { name: "::ffff:127.0.0.1", port: 80 }],
  ])("%s has a name and maybe a port", (header, host) => {
    expect(parseHost(header)).toEqual(host);
  });

  test.each([
    [null],
    [""],
    [" "],
    [":80"],
    ["localhost:"],
    ["localhost:x"],
    ["localhost:-1"],
    ["localhost:65536"],
    ["localhost:8080:8080"],
    ["localhost, localhost"],
    ["localhost evil.example"],
    ["user@localhost"],
    ["localhost@evil.example"],
    ["user:password@localhost"],
    ["localhost/evil"],
    ["localhost\\evil"],
    ["localhost?x"],
    ["localhost#x"],
    ["localhost%2eevil"],
    ["::1"],
    ["[::1"],
    ["[::1]x"],
    ["[::1%eth0]:80"],
    ["[fe80::1%25eth0]"],
    ["[localhost]"],
    ["[127.0.0.1]"],
    ["[::1::2]"],
    ["löcalhost"],
    ["localhost\n"],
    ["localhost\0"],
    ["http://localhost"],
  ])("%j is malformed", (header) => {
    expect(parseHost(header)).toBeUndefined();
  });

  test("of any text is a host or malformed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (header) => {
        const host = parseHost(header);
        if (host !== undefined) expect(header.toLowerCase()).toContain(host.name);
      }),
    );
  });
});

describe("a list of host names", () => {
  const names = HostNames.parse("Music.example, *.home.example,box")!;

  test.each([["music.example"], ["box"], ["a.home.example"], ["a.b.home.example"]])("has %s", (name) => {
    expect(names.has(name)).toBe(true);
  });

  test.each([
    ["home.example"],
    ["evil-home.example"],
    ["a.music.example"],
    ["music.example."],
    ["example"],
    [""],
  ])("does not have %j", (name) => {
    expect(names.has(name)).toBe(false);
  });

  test("has nothing if it is empty", () => {
    expect(HostNames.parse("")!.has("")).toBe(false);
  });

  test.each([
    ["*"],
    ["*."],
    ["a.*"],
    ["*a.example"],
    ["music.example:80"],
    ["http://music.example"],
    ["a b"],
    ["."],
    ["a..b"],
  ])("cannot have %s as an entry", (entry) => {
    expect(HostNames.parse(`good.example,${entry}`)).toBeUndefined();
  });
});

describe("this server's own names", () => {
  const allowed = HostNames.parse("*.music.example")!;
  const isOwn = (name: string): boolean => isOwnName(name, "Box.Local", allowed);

  test.each([
    ["localhost"],
    ["app.localhost"],
    ["127.0.0.1"],
    ["127.9.9.9"],
    ["192.168.1.2"],
    ["::1"],
    ["fe80::1"],
    ["box.local"],
    ["a.music.example"],
  ])("are loopback names, addresses, --host and --allow-host, such as %s", (name) => {
    expect(isOwn(name)).toBe(true);
  });

  test.each([
    ["evil.example"],
    ["localhost."],
    ["127.0.0.1."],
    ["evil.localhost.example"],
    ["evillocalhost"],
    ["localhost.evil.example"],
    ["127.0.0.1.evil.example"],
    ["127.1"],
    ["2130706433"],
    ["0x7f000001"],
    ["box.local.evil.example"],
    ["music.example"],
    ["x"],
  ])("are not names that others can point here, such as %s", (name) => {
    expect(isOwn(name)).toBe(false);
  });
});
