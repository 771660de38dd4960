/**
 * `bun run test:soak:tus [--uploads 1000] [--kills 10]`: a line for each kill of the server, the totals at the end. Exit
 * code 0 if every upload is identical, 1 if not, 2 for a wrong option. WAVECACHE_TEST_SEED repeats a run's choices; the
 * moments of cuts and kills still vary.
 */
import { parseArgs } from "node:util";
import { Random, testSeed } from "../harness/bytes.ts";
import { tusSoak } from "./tus.ts";

const concurrency = 8;

async function run(uploads: number, kills: number): Promise<number> {
  const random = new Random(testSeed());
  process.stdout.write(`seed ${random.seed}\n`);
  const began = performance.now();
  const onKill = (done: number) => process.stdout.write(`killed after ${done} of ${uploads} uploads\n`);
  const { faults, ...totals } = await tusSoak(random, { uploads, kills, concurrency, onKill });
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${JSON.stringify({ ...totals, seconds, faults: faults.length })}\n`);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  return faults.length === 0 && totals.uploads === uploads && totals.kills === kills ? 0 : 1;
}

function argumentsOrExit(): [number, number] {
  try {
    const { values } = parseArgs({
      options: { uploads: { type: "string", default: "1000" }, kills: { type: "string", default: "10" } },
    });
    const numbers = [Number(values.uploads), Number(values.kills)] as [number, number];
    if (!numbers.every((each) => Number.isInteger(each) && each >= 0))
      throw new RangeError("expected whole numbers");
    return numbers;
  } catch (error) {
    process.stderr.write(`test:soak:tus: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

process.exit(await run(...argumentsOrExit()));
