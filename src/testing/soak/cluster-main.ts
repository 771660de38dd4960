/**
 * `bun run test:cluster [--minutes 30] [--nodes 3] [--clients 8] [--seed N]`: a line for each fault and every ten seconds, the
 * totals at the end. Exit code 0 if everything that was acknowledged is there and right, 1 if not, 2 for a wrong option.
 * A seed repeats a run's choices; the moments of faults still vary. It needs PostgreSQL, nats-server, haproxy and versitygw.
 */
import { parseArgs } from "node:util";
import { Random, testSeed } from "../harness/bytes.ts";
import { progressLine, summary } from "./cluster/report.ts";
import { clusterSoak } from "./cluster/soak.ts";

interface Options {
  minutes: number;
  nodes: number;
  clients: number;
  seed: number;
}

async function run({ minutes, nodes, clients, seed }: Options): Promise<number> {
  const random = new Random(seed);
  const began = performance.now();
  const print = (line: string) => {
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stdout.write(`${String(seconds).padStart(5)} s  ${line}\n`);
  };
  print(`seed ${random.seed}`);
  const outcome = await clusterSoak(random, {
    nodes,
    clients,
    devices: Math.max(2, Math.ceil(clients / 2)),
    clocksDiffer: true,
    limitMs: minutes * 60_000,
    onFault: print,
    onProgress: (progress) => print(progressLine(progress)),
    onFinding: ({ what, details }) => print(`WRONG: ${what} ${JSON.stringify(details)}`),
  });
  process.stdout.write(`\n${summary(outcome, performance.now() - began)}\n`);
  for (const finding of outcome.findings) process.stdout.write(`WRONG: ${finding}\n`);
  return outcome.findings.length === 0 && outcome.acknowledged > 0 ? 0 : 1;
}

function optionsOrExit(): Options {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "30" },
        nodes: { type: "string", default: "3" },
        clients: { type: "string", default: "8" },
        seed: { type: "string", default: String(testSeed()) },
      },
    });
    const options = {
      minutes: Number(values.minutes),
      nodes: Number(values.nodes),
      clients: Number(values.clients),
      seed: Number(values.seed),
    };
    if (!(options.minutes > 0 && options.nodes >= 1 && options.clients >= 1 && options.seed >= 0))
      throw new RangeError("expected numbers above 0");
    return options;
  } catch (error) {
    process.stderr.write(`test:cluster: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

process.exit(await run(optionsOrExit()));
