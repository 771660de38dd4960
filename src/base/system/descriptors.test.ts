import { expect, test } from "bun:test";
import { resolve } from "node:path";

const script = `
  import { openSync } from "node:fs";
  import { canStartThread, descriptorLimit, openDescriptors } from "${resolve(import.meta.dir, "descriptors.ts")}";
  const before = [descriptorLimit, openDescriptors() < 64, canStartThread()];
  try { for (;;) openSync("/dev/null", "r"); } catch {}
  console.log(JSON.stringify([...before, openDescriptors() >= 64, canStartThread()]));
`;

test.skipIf(process.platform !== "linux")("descriptors are counted even if none is free", async () => {
  const child = Bun.spawn(["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, "-e", script], {
    stdout: "pipe",
  });
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual([64, true, true, true, false]);
});
