/** Several servers that share PostgreSQL, NATS and an object store: the short form of `bun run test:cluster`. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { seeded } from "../harness/bytes.ts";
import { hasHaproxy } from "../harness/servers/haproxy.ts";
import { hasNatsServer } from "../harness/servers/nats-server.ts";
import { hasObjectStore } from "../harness/servers/object-store.ts";
import { postgresPrograms } from "../harness/servers/postgres.ts";
import { useServers } from "../harness/server.ts";
import { Machines } from "../soak/cluster/machines.ts";
import { clusterSoak } from "../soak/cluster/soak.ts";

useServers();
const limitMs = 180_000;
setDefaultTimeout(limitMs);

const hasEngines = hasHaproxy && hasNatsServer && hasObjectStore && postgresPrograms !== undefined;
if (!hasEngines)
  process.stderr.write(
    "cluster.test.ts is skipped: it needs postgresql, nats-server, haproxy and versitygw\n",
  );

const url = (base: string) => `${base}/api/streams/shared/audio`;

describe.skipIf(!hasEngines)("servers that share their engines", () => {
  test(
    "read what another one has acknowledged, by ranges, also while the object store is slow and the other one dead",
    seeded(async (random) => {
      await using machines = await Machines.open(3);
      const [one, other, third] = machines.all;
      const audio = random.bytes(3_000_000);
      const body = new Uint8Array(audio);
      expect((await fetch(url(one!.server.httpBase), { method: "PUT", body })).status).toBe(201);
      await one!.server.kill9();
      machines.store.delayMs = 200;
      const { httpBase } = other!.server;
      const range = await fetch(url(httpBase), { headers: { range: "bytes=2500000-2500999" } });
      expect(range.status).toBe(206);
      expect(new Uint8Array(await range.arrayBuffer())).toEqual(audio.slice(2_500_000, 2_501_000));
      const whole = await fetch(url(httpBase));
      expect(Bun.CryptoHasher.hash("sha256", await whole.arrayBuffer(), "hex")).toBe(
        Bun.CryptoHasher.hash("sha256", audio, "hex"),
      );
      expect((await fetch(url(third!.server.httpBase), { headers: { range: "bytes=0-9" } })).status).toBe(
        206,
      );
      const removal = await fetch(`${httpBase}/api/streams/shared`, { method: "DELETE" });
      expect(removal.status).toBe(204);
      // The third one has read it from the archive, and knows at once that it is gone.
      for (const { server } of [other!, third!]) expect((await fetch(url(server.httpBase))).status).toBe(404);
      await one!.server.restart();
      expect((await fetch(url(one!.server.httpBase))).status).toBe(404);
    }),
  );

  test(
    "lose nothing that was acknowledged, whichever of them fails",
    seeded(async (random) => {
      const happened: string[] = [];
      const onFault = (what: string) => happened.push(what);
      const kinds = ["kill", "link", "store"] as const;
      const options = { nodes: 3, clients: 2, devices: 2, limitMs: 8_000, maxFaults: 3, kinds, onFault };
      const { findings, acknowledged } = await clusterSoak(random, options);
      expect(findings).toEqual([]);
      expect(acknowledged).toBeGreaterThan(5);
      expect(happened.length).toBeGreaterThan(0);
    }),
  );
});
