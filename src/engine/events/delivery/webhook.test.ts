import { afterEach, describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { AddressList } from "../../../base/address-list.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import { sendWebhook } from "./webhook.ts";

const secret = `whsec_${Buffer.from("0123456789abcdef0123456789abcdef").toString("base64")}`;
const event: EventRow = {
  id: 42,
  type: "device.lost",
  subject: "devices/a",
  at: 1_000,
  data: '{"deviceId":"a"}',
};
const loopback = AddressList.parse("127.0.0.0/8,::1");

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

/** Returns the URL of a receiver. */
function receiver(handle: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: handle });
  servers.push(server);
  return `http://localhost:${server.port}/hook?key=1`;
}

/** The message of the failure; undefined for a delivery. */
async function send(url: string, allowed = loopback, timeoutMs = 5_000): Promise<string | undefined> {
  const signal = new AbortController().signal;
  return await sendWebhook({ url, secret, allowed, timeoutMs }, event, signal).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

function endless(): ReadableStream {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(9)) });
}

describe("a webhook", () => {
  test("is a signed CloudEvent under the id of the event", async () => {
    const requests: { body: string; headers: Record<string, string>; url: string }[] = [];
    const url = receiver(async (request) => {
      const headers = Object.fromEntries(request.headers);
      requests.push({ body: await request.text(), headers, url: request.url });
      return new Response(null, { status: 202 });
    });
    expect(await send(url)).toBeUndefined();
    const [{ body, headers, url: asked } = { body: "", headers: {}, url: "" }] = requests;
    expect(asked).toEndWith("/hook?key=1");
    expect(headers).toMatchObject({ "webhook-id": "42", host: new URL(url).host });
    const verified = new Webhook(secret).verify(body, headers);
    expect(verified).toMatchObject({ specversion: "1.0", id: "42", data: { deviceId: "a" } });
    const forged = body.replace('"a"', '"b"');
    expect(() => new Webhook(secret).verify(forged, headers)).toThrow();
  });

  test("fails if the receiver answers anything but success, and follows no redirect", async () => {
    let reached = 0;
    const target = receiver(() => {
      reached += 1;
      return new Response();
    });
    expect(await send(receiver(() => Response.redirect(target, 307)))).toBe("the receiver answered 307");
    expect(await send(receiver(() => new Response(null, { status: 500 })))).toBe("the receiver answered 500");
    expect(reached).toBe(0);
  });

  test("fails if the receiver hangs, or is not there", async () => {
    const url = receiver(() => new Promise<Response>(() => undefined));
    expect(await send(url, loopback, 50)).toContain("in time");
    await servers[0]!.stop(true);
    expect(await send(url)).toBeString();
  });

  test("fails if the receiver answers after the time limit, and its late answer delivers nothing", async () => {
    const late = Promise.withResolvers<Response>();
    const ids: (string | null)[] = [];
    const url = receiver((request) => {
      ids.push(request.headers.get("webhook-id"));
      return ids.length === 1 ? late.promise : new Response();
    });
    const first = send(url, loopback, 50);
    expect(await first).toContain("in time");
    late.resolve(new Response());
    // The next try is a request of its own, with the same id, whatever came of the one before.
    expect(await send(url)).toBeUndefined();
    expect(ids).toEqual(["42", "42"]);
  });

  test("does not wait for the end of an answer", async () => {
    expect(await send(receiver(() => new Response(endless())))).toBeUndefined();
  });

  test("reaches private addresses only where they are allowed", async () => {
    let reached = 0;
    const url = receiver(() => {
      reached += 1;
      return new Response();
    });
    const elsewhere = AddressList.parse("10.0.0.0/8");
    expect(await send(url, elsewhere)).toContain("private");
    expect(await send(url.replace("localhost", "127.0.0.1"), elsewhere)).toContain("private");
    expect(await send(url.replace("localhost", "2130706433"), elsewhere)).toContain("private");
    expect(reached).toBe(0);
  });
});
