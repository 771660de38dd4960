import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { NotifySocket } from "../../testing/harness/notify-socket.ts";
import { until } from "../../testing/harness/until.ts";
import type { Fields, Log } from "../log/log.ts";
import { ServiceManager } from "./service-manager.ts";

const silent = (): void => {};
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };

test("a process that systemd did not start reloads and stops without a notification", async () => {
  const service = ServiceManager.open({}, log);
  const done: string[] = [];
  service.ready("ready");
  await service.reload(async () => void done.push("reload"));
  await service.stop(async () => void done.push("close"), 8_000);
  expect(done).toEqual(["reload", "close"]);
});

describe.skipIf(process.platform !== "linux")("a service", () => {
  for (const kind of ["file", "abstract"] as const) {
    test(`notifies by a socket with a name that is ${kind}`, async () => {
      using folder = temporaryFolder();
      const path = kind === "file" ? join(folder.path, "notify") : `@wavecache-test-${process.pid}`;
      using socket = new NotifySocket(path);
      const service = ServiceManager.open({ NOTIFY_SOCKET: path }, log);
      service.ready("two\nlines");
      await service.reload(async () => {});
      await service.stop(async () => {}, 8_000);
      expect(socket.received).toEqual([
        "READY=1\nSTATUS=two lines",
        expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
        "READY=1\nSTATUS=two lines",
        "STOPPING=1\nSTATUS=shutting down\nEXTEND_TIMEOUT_USEC=8000000",
      ]);
    });
  }

  test("feeds the watchdog from when it is ready, and only the watchdog of its own process", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "notify");
    using socket = new NotifySocket(path);
    const watched = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" };
    const other = ServiceManager.open({ ...watched, WATCHDOG_PID: "1" }, log);
    other.ready("other");
    const service = ServiceManager.open({ ...watched, WATCHDOG_PID: String(process.pid) }, log);
    expect(socket.received).toEqual(["READY=1\nSTATUS=other"]);
    service.ready("own");
    const count = () => socket.received.filter((state) => state === "WATCHDOG=1").length;
    await until("three keepalives", 5_000, () => count() >= 3);
    service.close();
    other.close();
  });

  test("logs once that nobody receives its notifications, and continues", () => {
    const warnings: [string, Fields | undefined][] = [];
    const warn = (message: string, fields?: Fields): void => void warnings.push([message, fields]);
    const service = ServiceManager.open({ NOTIFY_SOCKET: "/nowhere/notify" }, { ...log, warn });
    service.ready("ready");
    service.ready("ready");
    const noSuchFile = { path: "/nowhere/notify", errno: 2 };
    expect(warnings).toEqual([["systemd was not notified", noSuchFile]]);
  });
});
