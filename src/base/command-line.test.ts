import { expect, test } from "bun:test";
import { cac } from "cac";
import { parseArguments } from "./command-line.ts";

function parsed(...args: string[]): { args: readonly string[]; options: Record<string, unknown> } {
  const cli = cac("test");
  cli
    .command("[...files]", "")
    .option("-o, --offset-ms <ms>", "")
    .option("--really-do", "")
    .action(() => {});
  parseArguments(cli, args, (option) => new Error(`unknown ${option}`));
  return { args: cli.args, options: cli.options };
}

test("a negative number and a dash are values of the option before them", () => {
  expect(parsed("--offset-ms", "-1").options["offsetMs"]).toBe("-1");
  expect(parsed("-o", "-007", "x")).toMatchObject({ args: ["x"], options: { offsetMs: "-007" } });
  expect(parsed("--offset-ms", "-").options["offsetMs"]).toBe("-");
  expect(() => parsed("x", "-1")).toThrow("unknown -1");
  expect(() => parsed("-1", "-2")).toThrow("unknown -1");
});

test("an option without a value leaves the argument behind it alone", () => {
  expect(parsed("--really-do", "file")).toMatchObject({ args: ["file"], options: { reallyDo: true } });
  expect(parsed("--really-do", "007")).toMatchObject({ args: ["007"], options: { reallyDo: true } });
});

test("arguments behind -- are never options", () => {
  expect(parsed("a", "--", "--really-do", "-1").args).toEqual(["a", "--really-do", "-1"]);
});

test("undeclared options are refused in the user's spelling", () => {
  for (const option of ["--bogus", "-x", "--constructor", "--offset-ms.x", "--no-really-do", "-"])
    expect(() => parsed(option), option).toThrow(`unknown ${option}`);
  expect(() => parsed("--bogus=1")).toThrow(/^unknown --bogus$/);
});
