/** The server as a service of systemd: what it notifies its manager of, from the start to the end. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { NotifySocket } from "../harness/notify-socket.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

test.skipIf(process.platform !== "linux")(
  "a service says when it is ready, that it is alive, that it reloads, and when it stops",
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "notify");
    using socket = new NotifySocket(path);
    await using server = await TestServer.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "100000" } });
    await until("a keepalive", 5_000, () => socket.received.includes("WATCHDOG=1"));
    expect(socket.received[0]).toStartWith(`READY=1\nSTATUS=ready ${server.url}`);
    process.kill(server.pid, "SIGHUP");
    await until("the end of the reload", 5_000, () => {
      const [reloading, ready] = ["RELOADING=1", "READY=1"].map((state) =>
        socket.received.findLastIndex((each) => each.startsWith(state)),
      );
      return reloading! > 0 && ready! > reloading!;
    });
    expect(await server.stop()).toBe(0);
    expect(socket.received).toContain("STOPPING=1\nSTATUS=shutting down\nEXTEND_TIMEOUT_USEC=8000000");
  },
);
