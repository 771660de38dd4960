import { expect, test } from "bun:test";

const script = `
  import { openLog } from "${import.meta.dir}/../log/log.ts";
  import { LogOutput } from "${import.meta.dir}/../log/log-output.ts";
  import { surviveUncaught } from "${import.meta.dir}/uncaught.ts";
  LogOutput.open({ general: "info", byCategory: [] }, "text");
  surviveUncaught(openLog("test"));
  const failing = setInterval(() => { throw new Error("no descriptor"); }, 10);
  setTimeout(() => Promise.reject(new Error("nor a promise")), 30);
  setTimeout(() => { clearInterval(failing); console.log("still here"); }, 200);
`;

test("a call that throws in a timer is logged once in a while, and does not end the process", async () => {
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(`${stdout}${stderr}`).toContain("still here");
  expect(code).toBe(0);
  expect(`${stdout}${stderr}`.match(/a callback failed/g)).toHaveLength(1);
});
