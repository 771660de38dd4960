import { describe, expect, test } from "bun:test";
import type { EventRow } from "../../../store/events/outbox.ts";
import type { Log } from "../../../base/log/log.ts";
import { runCommand } from "./command.ts";

const event: EventRow = {
  id: 42,
  type: "device.lost",
  subject: "devices/$(id)",
  at: 1_000,
  data: '{"deviceId":"a"}',
};

interface Run {
  error: string | undefined;
  output: string;
  errors: string;
}

async function run(...command: string[]): Promise<Run> {
  let logged: Record<string, unknown> = {};
  const info = (_message: string, fields: Record<string, unknown> = {}) => void (logged = fields);
  const log: Log = { debug: info, info, warn: info, error: info };
  const running = runCommand(command, event, new AbortController().signal, log);
  const error = await running.then(
    () => undefined,
    (failure: Error) => failure.message,
  );
  return { error, output: String(logged["output"]), errors: String(logged["errors"]) };
}

describe("a command", () => {
  test("gets the event on standard input and in its environment, and no setting of the server", async () => {
    process.env["WAVECACHE_CACHE_DIR"] = "secret";
    const script = 'read -r line; echo "$line"; env | grep WAVECACHE_ | sort >&2';
    const { error, output, errors } = await run("/bin/sh", "-c", script);
    delete process.env["WAVECACHE_CACHE_DIR"];
    expect(error).toBeUndefined();
    expect(JSON.parse(output)).toMatchObject({ id: "42", subject: "devices/$(id)" });
    expect(errors.split("\n")).toEqual([
      'WAVECACHE_EVENT_DATA={"deviceId":"a"}',
      "WAVECACHE_EVENT_ID=42",
      "WAVECACHE_EVENT_SUBJECT=devices/$(id)",
      "WAVECACHE_EVENT_TIME=1970-01-01T00:00:01.000Z",
      "WAVECACHE_EVENT_TYPE=device.lost",
    ]);
  });

  test("fails with its status, and if there is no such program", async () => {
    expect((await run("/bin/sh", "-c", "exit 3")).error).toBe("the command ended with 3");
    expect((await run("/does/not/exist")).error).toBeString();
  });

  test("may write more than the log takes", async () => {
    const { error, output } = await run("/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x");
    expect(error).toBeUndefined();
    expect(output).toHaveLength(2_000);
  });
});
