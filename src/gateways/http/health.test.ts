import { expect, test } from "bun:test";
import { nobody } from "../../access/principal.ts";
import { Readiness } from "../../base/readiness.ts";
import { healthRoute } from "./health.ts";

const check = { isRunning: false, figures: { settledRows: 3, checkedObjects: 40 } };
const connection = {
  principal: nobody(""),
  context: { requestId: "test" },
  isSecure: false,
  keepOpen: () => {},
  setIdleSeconds: () => {},
};

async function get(readiness: Readiness, path: string, method = "GET"): Promise<Response | undefined> {
  const request = new Request(`http://localhost${path}`, { method });
  return await healthRoute(readiness, { check }).handle(request, new URL(request.url), connection);
}

test("/readyz is 503 with every reason until the last one is cleared", async () => {
  const readiness = new Readiness();
  expect(await (await get(readiness, "/readyz"))!.text()).toBe("ready\n");
  expect(readiness.set("STARTING")).toBe(true);
  expect(readiness.set("DISK_FULL", "no room")).toBe(true);
  expect(readiness.set("DISK_FULL", "still no room")).toBe(false);
  const answer = (await get(readiness, "/readyz"))!;
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({
    ready: false,
    reasons: [
      { code: "STARTING", message: "server is starting" },
      { code: "DISK_FULL", message: "still no room" },
    ],
  });
  expect(readiness.clear("STARTING")).toBe(true);
  expect(readiness.clear("STARTING")).toBe(false);
  expect((await get(readiness, "/readyz"))!.status).toBe(503);
  readiness.clear("DISK_FULL");
  expect((await get(readiness, "/readyz"))!.status).toBe(200);
});

test("/readyz tells how far the check of the store is", async () => {
  const checking = healthRoute(new Readiness(), { check: { ...check, isRunning: true } });
  const request = new Request("http://localhost/readyz");
  const answer = await checking.handle(request, new URL(request.url), connection);
  expect(answer!.status).toBe(200);
  expect(await answer!.text()).toBe("ready\nthe store is being checked: 3 uploads and 40 objects so far\n");
});

test("/healthz is 200 while the process lives, ready or not", async () => {
  const readiness = new Readiness();
  readiness.set("STARTING");
  for (const method of ["GET", "HEAD"]) expect((await get(readiness, "/healthz", method))!.status).toBe(200);
  expect(await get(readiness, "/healthz", "POST")).toBeUndefined();
  expect(await get(readiness, "/other")).toBeUndefined();
});
