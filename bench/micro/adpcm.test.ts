import { expect, test } from "bun:test";
import { join } from "node:path";

test("the ADPCM bench runs on tiny inputs and prints rates for both nibble orders, mono and stereo", async () => {
  const bench = Bun.spawn([process.execPath, join(import.meta.dir, "adpcm.ts"), "--quick"], {
    stderr: "inherit",
  });
  const lines = (await bench.stdout.text()).split("\n");
  expect(await bench.exited).toBe(0);
  for (const what of ["speech mono", "music stereo"]) {
    for (const order of ["low", "high"]) {
      const line = lines.find((line) => line.startsWith(`decode ${what}, blocks, ${order} first`));
      expect(Number(line?.match(/(\d+) M samples\/s$/)?.[1])).toBeGreaterThan(0);
    }
  }
});
