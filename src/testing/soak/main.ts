/**
 * `bun run test:soak [--kills 200] [--minutes 30]`: one line for each kill, a table at the end. Exit code 0 if the
 * server has kept every promise, 1 if it has not or the time was too short, 2 for a wrong option.
 * WAVECACHE_TEST_SEED repeats a run's choices; the moments of the kills still vary.
 */
import { parseArgs } from "node:util";
import { Random, testSeed } from "../harness/bytes.ts";
import { roundLine, summary } from "./report.ts";
import { soak } from "./soak.ts";

interface Arguments {
  kills: number;
  limitMs: number;
}

function readArguments(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: { kills: { type: "string", default: "200" }, minutes: { type: "string", default: "30" } },
  });
  return {
    kills: positive("--kills", values.kills),
    limitMs: positive("--minutes", values.minutes) * 60_000,
  };
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (!(number > 0) || !Number.isInteger(number))
    throw new RangeError(`${option} "${value}": expected 1 or more`);
  return number;
}

async function run({ kills, limitMs }: Arguments): Promise<number> {
  const random = new Random(testSeed());
  const began = performance.now();
  process.stdout.write(`seed ${random.seed}\n`);
  const onRound = (round: Parameters<typeof roundLine>[0]) =>
    process.stdout.write(`${roundLine(round, kills)}\n`);
  const rounds = await soak(random, { kills, limitMs, onRound });
  const faults = rounds.flatMap((round) => round.faults);
  if (faults.length > 0) process.stdout.write(`\n${faults.join("\n")}\n`);
  process.stdout.write(`\n${summary(rounds, performance.now() - began)}\n`);
  if (rounds.length < kills && faults.length === 0)
    process.stdout.write(`the time ended before kill ${kills}\n`);
  return faults.length === 0 && rounds.length === kills ? 0 : 1;
}

function argumentsOrExit(): Arguments {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`test:soak: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

process.exit(await run(argumentsOrExit()));
