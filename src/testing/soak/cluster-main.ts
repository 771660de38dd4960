/**
 * `bun run test:cluster [--minutes 30] [--nodes 3] [--clients 8]`: a line for each fault, the totals at the end. Exit code 0
 * if everything that was acknowledged is there, 1 if not, 2 for a wrong option. WAVECACHE_TEST_SEED repeats a run's choices;
 * the moments of faults still vary. It needs PostgreSQL, nats-server, haproxy and versitygw.
 */
import { parseArgs } from "node:util";
import { Random, testSeed } from "../harness/bytes.ts";
import { clusterSoak } from "./cluster/soak.ts";

interface Options {
  minutes: number;
  nodes: number;
  clients: number;
}

async function run({ minutes, nodes, clients }: Options): Promise<number> {
  const random = new Random(testSeed());
  process.stdout.write(`seed ${random.seed}\n`);
  const began = performance.now();
  const onFault = (what: string) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stdout.write(`${String(seconds).padStart(5)} s  ${what}\n`);
  };
  const { faults, ...totals } = await clusterSoak(random, {
    nodes,
    clients,
    limitMs: minutes * 60_000,
    onFault,
  });
  process.stdout.write(`${JSON.stringify({ ...totals, faults: faults.length }, undefined, 2)}\n`);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  return faults.length === 0 && totals.acknowledged > 0 ? 0 : 1;
}

function optionsOrExit(): Options {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "30" },
        nodes: { type: "string", default: "3" },
        clients: { type: "string", default: "8" },
      },
    });
    const options = {
      minutes: Number(values.minutes),
      nodes: Number(values.nodes),
      clients: Number(values.clients),
    };
    if (!(options.minutes > 0 && options.nodes >= 1 && options.clients >= 1))
      throw new RangeError("expected numbers above 0");
    return options;
  } catch (error) {
    process.stderr.write(`test:cluster: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

process.exit(await run(optionsOrExit()));
