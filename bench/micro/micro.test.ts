import { expect, test } from "bun:test";
import { join } from "node:path";

async function runQuick(...names: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = [process.execPath, join(import.meta.dir, "main.ts"), "--quick", ...names];
  const bench = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([bench.stdout.text(), bench.stderr.text()]);
  return { code: await bench.exited, out, err };
}

test.each([
  ["ring", "M records/s", 8],
  ["messages", "M messages/s", 7],
  ["frames", "M frames/s", 4],
  ["v1", "M messages/s", 8],
  ["store", "streams/s", 2],
  ["access", "M checks/s", 5],
  ["tracing", "M spans/s", 3],
])(
  "the %s bench runs on tiny inputs and prints a rate of %s for each of its cases",
  async (name, unit, cases) => {
    const { code, out, err } = await runQuick(name);
    expect(err).toBe("");
    expect(code).toBe(0);
    const rates = out.split("\n").filter((line) => line.includes(unit));
    expect(rates.length).toBe(cases);
    for (const line of rates) expect(line).toMatch(/\d/);
  },
);

test("an unknown name is rejected with the list of names", async () => {
  const { code, err } = await runQuick("rings");
  expect(code).toBe(2);
  expect(err).toContain('"rings"');
  expect(err).toContain("ring, messages, frames");
});
