/** The dashboard and the alerts in `deploy/`: what they ask Prometheus for exists, and promtool accepts it. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import type { Exposition } from "../../client/http/exposition.ts";
import { scrape } from "../harness/http/exposition.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const deploy = join(import.meta.dir, "../../../deploy");
const read = (name: string): string => readFileSync(join(deploy, name), "utf8");

const rulesSchema = v.object({
  groups: v.array(v.object({ rules: v.array(v.object({ alert: v.string(), expr: v.string() })) })),
});
const dashboardSchema = v.object({
  panels: v.array(
    v.object({
      id: v.number(),
      title: v.string(),
      gridPos: v.object({ x: v.number(), y: v.number(), w: v.number(), h: v.number() }),
      targets: v.optional(v.array(v.object({ expr: v.string() })), []),
    }),
  ),
});

const { panels } = v.parse(dashboardSchema, JSON.parse(read("grafana/wavecache.json")));
const alerts = v
  .parse(rulesSchema, Bun.YAML.parse(read("prometheus/alerts.yaml")))
  .groups.flatMap(({ rules }) => rules);
const panelExpressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
const alertExpressions = alerts.map(({ expr }) => expr);

/** The metrics that an expression names and the server has not. */
function unknownMetrics(expression: string, { types }: Exposition): string[] {
  const names = expression.match(/\b(?:wavecache|process)_\w+/g) ?? [];
  return names.filter((name) => !types.has(name) && !types.has(name.replace(/_bucket$/, "")));
}

test("every metric of the dashboard and of the alerts exists", async () => {
  await using server = await TestServer.start();
  const metrics = (await scrape(server.httpBase))!;
  expect(panelExpressions.length).toBeGreaterThan(20);
  expect(alertExpressions.length).toBeGreaterThan(10);
  for (const expression of [...panelExpressions, ...alertExpressions]) {
    expect([expression, unknownMetrics(expression, metrics)]).toEqual([expression, []]);
  }
});

test("the panels of the dashboard have ids of their own, and do not overlap", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

const promtool = Bun.which("promtool");

test.skipIf(promtool === null)("promtool accepts the alerts, and they fire when they should", () => {
  for (const [verb, file] of [
    ["check", "alerts.yaml"],
    ["test", "alerts.test.yaml"],
  ] as const) {
    const path = join(deploy, "prometheus", file);
    const { exitCode, stdout, stderr } = Bun.spawnSync([promtool!, verb, "rules", path]);
    expect([exitCode, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("SUCCESS")]);
  }
});

test.skipIf(promtool === null)("promtool can parse every expression of the dashboard", () => {
  using folder = temporaryFolder();
  const rules = panelExpressions.map((expr, index) => ({
    record: `panel:${index}`,
    expr: expr.replaceAll("$__rate_interval", "1m"),
  }));
  const path = join(folder.path, "panels.json");
  writeFileSync(path, JSON.stringify({ groups: [{ name: "panels", rules }] }));
  const { exitCode, stderr } = Bun.spawnSync([promtool!, "check", "rules", path]);
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
});
