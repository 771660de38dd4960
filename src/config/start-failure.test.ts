import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../base/errors.ts";
import { openPort } from "../listen/open-port.ts";
import { ConfigError } from "./schema.ts";
import { startFailure } from "./start-failure.ts";

function systemError(code: string, message: string, syscall?: string): Error {
  return Object.assign(new Error(message), { code, ...(syscall === undefined ? {} : { syscall }) });
}

/** What the user reads if a port fails to open with this error. */
async function messageOf(error: Error): Promise<string> {
  try {
    await openPort("8.8.8.8", 80, () => {
      throw error;
    });
    return "opened";
  } catch (reason) {
    return startFailure(reason).message;
  }
}

describe("a port that cannot be opened", () => {
  const taken = "cannot listen on 8.8.8.8:80: EADDRINUSE (the port is in use: choose another";
  const foreign = "cannot listen on 8.8.8.8:80: EADDRNOTAVAIL (--host takes an address of this machine";
  const refused = "cannot listen on 8.8.8.8:80: EACCES (ports below 1024";
  const cases: [kind: string, error: Error, start: string][] = [
    ["HTTP", systemError("EADDRINUSE", "Failed to start server. Is port 80 in use?", "listen"), taken],
    ["HTTP", systemError("EADDRNOTAVAIL", "EADDRNOTAVAIL: address not available, listen", "listen"), foreign],
    ["HTTP", systemError("EACCES", "permission denied 127.0.0.1:80", "listen"), refused],
    ["UDP", systemError("EADDRNOTAVAIL", "bind EADDRNOTAVAIL 8.8.8.8", "bind"), foreign],
    ["gRPC", systemError("EADDRINUSE", "listen EADDRINUSE: address already in use 8.8.8.8:80"), taken],
    [
      "UDP",
      systemError("ENOENT", "bind ENOENT nosuch", "bind"),
      "cannot listen on 8.8.8.8:80: ENOENT (--host",
    ],
    [
      "TLS",
      new Error("Failed to listen at nosuch"),
      "cannot listen on 8.8.8.8:80: Failed to listen at nosuch (--host",
    ],
    [
      "gRPC",
      new Error("Name resolution failed for dns:nosuch"),
      "cannot listen on 8.8.8.8:80: Name resolution",
    ],
  ];
  for (const [kind, error, start] of cases) {
    test(`names the address and what to do: ${kind}, ${error.message}`, async () => {
      expect(await messageOf(error)).toStartWith(start);
    });
  }

  test("keeps an error of another kind as it is", async () => {
    expect(
      await messageOf(systemError("EACCES", "EACCES: permission denied, open 'key.pem'", "open")),
    ).toStartWith("folder cannot be written: EACCES: permission denied, open 'key.pem'");
    expect(await messageOf(new WavecacheError("CERTIFICATE_UNUSABLE", "x.pem"))).toStartWith(
      "the certificate",
    );
  });
});

test("a start failure is one line, with exit code 2 for a wrong command line and 1 for anything else", () => {
  expect(startFailure(new ConfigError("no\nsuch flag"))).toEqual({ message: "no such flag", exitCode: 2 });
  const failure = startFailure(new WavecacheError("STORE_FAILED", "two\r\n  lines"));
  expect(failure.exitCode).toBe(1);
  expect(failure.message).toStartWith("storage failed: two lines (");
});
