/** What the log of the server looks like, and whose events it has, by its options. */
import { expect, test } from "bun:test";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

test("a log in JSON has an object in each line, and the events of a part at the level of this part", async () => {
  const flags = { "log-format": "json", "log-level": "error,wavecache.server=info" };
  await using server = await TestServer.start({ flags });
  expect(await server.stop()).toBe(0);
  const lines = server.stdout.trim().split("\n");
  const messages = lines
    .map((line) => JSON.parse(line))
    .filter(({ logger }) => logger === "wavecache.server");
  expect(messages.length).toBe(lines.length);
  expect(messages.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^ready ws:/),
    "shutting down",
    "bye",
  ]);
  expect(messages[1].fields).toEqual({ signal: "SIGTERM" });
});

test("an event of a part with a level of its own is logged once", async () => {
  await using server = await TestServer.start({ flags: { "log-level": "info,wavecache.server=debug" } });
  expect(await server.stop()).toBe(0);
  expect(server.stdout.match(/wavecache\.server: ready/g)).toHaveLength(1);
});
