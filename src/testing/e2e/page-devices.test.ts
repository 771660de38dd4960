/** The board of a device on the page: its buttons reach a real gRPC device, whose LEDs are those of the page. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { freePort } from "../harness/free-port.ts";
import { PageSession } from "../harness/page-session.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-devices.test.ts");

const limitMs = 60_000;

/** As the page shows them: `#RRGGBBAA`. */
async function ledsOf(page: Page, deviceId: string): Promise<string[]> {
  const leds = page.getByRole("article", { name: deviceId }).getByRole("list", { name: "LEDs" });
  return await leds
    .getByRole("listitem")
    .evaluateAll((items) => items.map((item) => item.getAttribute("data-color") ?? ""));
}

/** As the server has set them. */
function shownBy(device: GrpcDevice): string[] {
  return (device.shown.at(-1) ?? []).map((rgba) => `#${rgba.toString(16).toUpperCase().padStart(8, "0")}`);
}

describe.skipIf(chromiumPath === null)("the board of a device", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    const started = TestServer.start({ flags: { "grpc-port": 0 }, env: { WAVECACHE_FLASH: "no" } });
    [server, browser] = await Promise.all([started, launchChromium()]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  test(
    "shows the LEDs of the device after a button of the page, and in another tab, too",
    async () => {
      using device = new GrpcDevice(server.grpcPort, "lamp");
      await device.untilConnected();
      await using one = await PageSession.open(browser);
      await using other = await PageSession.open(browser);
      const asked: string[] = [];
      for (const { page } of [one, other]) {
        page.on("request", (request) => void asked.push(new URL(request.url()).pathname));
        await page.goto(`${server.httpBase}/devices`);
      }
      const board = one.page.getByRole("article", { name: "lamp" });
      const before = shownBy(device);
      await board.getByRole("button", { name: "Mode", exact: true }).click();
      await until("other LEDs", 5_000, () => !Bun.deepEquals(shownBy(device), before));
      for (const { page } of [one, other]) {
        await until("the LEDs of the device", 10_000, async () =>
          Bun.deepEquals(await ledsOf(page, "lamp"), shownBy(device)),
        );
      }
      await board.getByRole("button", { name: "Mode 4" }).click();
      for (const { page } of [one, other])
        await page
          .getByRole("article", { name: "lamp" })
          .getByText("Mode 4", { exact: true })
          .first()
          .waitFor();
      // The server sends what changes, and nobody asks for it.
      expect(asked).toContain("/api/live/devices");
      expect(asked).not.toContain("/api/devices");
      expect(one.errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "shows at once what happens on the device itself",
    async () => {
      using device = new GrpcDevice(server.grpcPort, "porch");
      await device.untilConnected();
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${server.httpBase}/devices`);
      const board = page.getByRole("article", { name: "porch" });
      await board.getByText("Connected", { exact: true }).waitFor();
      await device.pressed("mode");
      await board.getByText("Mode pressed").waitFor();
      await board.getByText("Mode 1", { exact: true }).first().waitFor();
      device.close();
      await board.getByText(/^away/).waitFor();
    },
    limitMs,
  );

  test(
    "holds a button as long as the pointer or a key is down, and releases it when the window loses the focus",
    async () => {
      using device = new GrpcDevice(server.grpcPort, "hall");
      await device.untilConnected();
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/devices`);
      const board = page.getByRole("article", { name: "hall" });
      const button = board.getByRole("button", { name: "Mode", exact: true });
      const happened = (text: string) => board.getByText(text).first().waitFor();
      await button.hover();
      await page.mouse.down();
      await happened("Mode held");
      await board.getByRole("button", { name: "Mode", exact: true, pressed: true }).waitFor();
      await page.mouse.up();
      await happened("Mode released");
      const stop = board.getByRole("button", { name: "Stop" });
      await stop.focus();
      await page.keyboard.down("Space");
      await happened("Stop held");
      await page.evaluate(() => dispatchEvent(new Event("blur")));
      await happened("Stop released");
      await page.keyboard.up("Space");
      await board.getByRole("button", { name: "Connect" }).press("Enter");
      await happened("Connect pressed");
      expect(await board.getByText("Stop pressed").count()).toBe(0);
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "says that devices of other servers may be missing while NATS is out of reach",
    async () => {
      const flags = { "grpc-port": 0, "nats-urls": `nats://127.0.0.1:${freePort()}` };
      await using alone = await TestServer.start({ flags });
      using device = new GrpcDevice(alone.grpcPort, "lamp");
      await device.untilConnected();
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${alone.httpBase}/devices`);
      await page.getByText("Devices of other servers may be missing").waitFor();
      await page.getByRole("article", { name: "lamp" }).getByText("connected", { exact: true }).waitFor();
      await page.goto(`${server.httpBase}/devices`);
      await page.getByText("Devices", { exact: true }).first().waitFor();
      expect(await page.getByText("Devices of other servers may be missing").count()).toBe(0);
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "says why a button had no effect",
    async () => {
      using device = new GrpcDevice(server.grpcPort, "mute");
      await device.untilConnected();
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${server.httpBase}/devices`);
      await page.getByRole("article", { name: "mute" }).getByRole("button", { name: "Play" }).click();
      await page.getByText("No sound for this mode").waitFor();
    },
    limitMs,
  );
});
