import { describe, expect, test } from "bun:test";
import { cac } from "cac";
import * as fc from "fast-check";
import { choiceOption, countOption, flagOption, type Options, runCommand, textOption } from "./arguments.ts";
import { CliError } from "./failures.ts";

interface Call {
  command: string;
  args: unknown[];
  options: Options;
}

/** Parses the arguments with a default command and the command `rm`, and returns the call of the action. */
function called(...args: string[]): Call | undefined {
  const calls: Call[] = [];
  const cli = cac("test");
  const call = (command: string) => (given: unknown, options: Options) =>
    void calls.push({ command, args: [given].flat(), options });
  cli
    .command("[...files]", "")
    .option("-o, --output <file>", "")
    .option("-v, --verbose", "")
    .action(call("default"));
  cli
    .command("rm <id>", "")
    .option("-c, --count <n>", "", { default: "5" })
    .option("--name-of-it <name>", "")
    .option("--really-do", "")
    .option("--no-play", "")
    .action(call("rm"));
  runCommand(cli, args);
  expect(calls.length).toBeLessThanOrEqual(1);
  return calls[0];
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CliError || (error instanceof Error && error.name === "CACError"))
      return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("arguments that look like numbers", () => {
  test("stay strings as option values, after = and by position", () => {
    expect(textOption(called("--output", "007")?.options ?? {}, "output")).toBe("007");
    expect(textOption(called("-o", "1e3")?.options ?? {}, "output")).toBe("1e3");
    expect(textOption(called("--output=0x10")?.options ?? {}, "output")).toBe("0x10");
    expect(textOption(called("--output=")?.options ?? {}, "output")).toBe("");
    expect(textOption(called("--output", "")?.options ?? {}, "output")).toBe("");
    expect(called("rm", "007")?.args).toEqual(["007"]);
    expect(called("-v", "1.50")?.args).toEqual(["1.50"]);
  });

  test("and all other texts arrive unchanged", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.constantFrom("", " ", "0", "Infinity", "-0"),
    );
    fc.assert(
      fc.property(
        texts.filter((text) => !text.includes("\0")),
        (text) => {
          expect(textOption(called(`--output=${text}`)?.options ?? {}, "output")).toBe(text);
          expect(called("rm", "--", text)?.args).toEqual([text]);
        },
      ),
    );
  });
});

describe("a dash", () => {
  test("is the value of the option before it", () => {
    expect(textOption(called("--output", "-")?.options ?? {}, "output")).toBe("-");
    expect(textOption(called("-o", "-", "-v")?.options ?? {}, "output")).toBe("-");
    expect(textOption(called("--output=-")?.options ?? {}, "output")).toBe("-");
  });

  test("is refused anywhere else", () => {
    expect(refusal(() => called("x", "-"))).toBe('unknown option "-"');
    expect(refusal(() => called("--output=x", "-"))).toBe('unknown option "-"');
  });
});

test("options of several words are read by their names", () => {
  expect(textOption(called("rm", "x", "--name-of-it", "1e3")?.options ?? {}, "name-of-it")).toBe("1e3");
  expect(flagOption(called("rm", "x", "--really-do")?.options ?? {}, "really-do")).toBe(true);
  expect(flagOption(called("rm", "x")?.options ?? {}, "really-do")).toBe(false);
  expect(refusal(() => countOption({}, "name-of-it", 1, 9))).toBe("--name-of-it needs a value");
});

describe("undeclared options", () => {
  for (const arg of [
    "--bogus",
    "--bogus=1",
    "-x",
    "-vx",
    "--constructor",
    "--__proto__",
    "--to-string",
    "-",
    "-1",
  ]) {
    test(`are refused by name: ${arg}`, () => {
      expect(refusal(() => called(arg))).toContain(`unknown option "${arg.replace("=1", "")}"`);
    });
  }

  test("are refused even if another command has them", () => {
    expect(refusal(() => called("rm", "x", "--verbose"))).toBe('unknown option "--verbose"');
  });

  test("are refused as --no-x and as --x.y", () => {
    expect(refusal(() => called("--no-verbose"))).toBe('unknown option "--no-verbose"');
    expect(refusal(() => called("--output.x=1"))).toBe('unknown option "--output.x"');
  });

  test("--no-x is accepted only if it is declared as such", () => {
    expect(called("rm", "x", "--no-play")?.options).toMatchObject({ play: false });
    expect(called("rm", "x")?.options).toMatchObject({ play: true });
    expect(refusal(() => called("rm", "x", "--play"))).toBe('unknown option "--play"');
    expect(refusal(() => called("rm", "x", "--no-really-do"))).toBe('unknown option "--no-really-do"');
  });
});

describe("reading an option", () => {
  test("supports defaults, flags, short forms and clusters of them", () => {
    expect(countOption(called("rm", "x")?.options ?? {}, "count", 1, 9)).toBe(5);
    expect(countOption(called("rm", "x", "-c", "7")?.options ?? {}, "count", 1, 9)).toBe(7);
    expect(flagOption(called("-v")?.options ?? {}, "verbose")).toBe(true);
    expect(flagOption(called("-v", "-v")?.options ?? {}, "verbose")).toBe(true);
    expect(flagOption(called("x")?.options ?? {}, "verbose")).toBe(false);
    expect(textOption(called("-vo", "x")?.options ?? {}, "output")).toBe("x");
  });

  test("refuses repeated options, missing values and invalid numbers", () => {
    expect(refusal(() => textOption(called("-o", "a", "-o", "b")?.options ?? {}, "output"))).toContain(
      "more than once",
    );
    expect(refusal(() => called("--output"))).toContain("value is missing");
    expect(refusal(() => called("--output", "--verbose"))).toContain("value is missing");
    for (const bad of ["", "0", "10", "1.5", "-3", "abc", "1e0", "0x5", " 5", "99999999999999999999"]) {
      expect(refusal(() => countOption({ count: bad }, "count", 1, 9))).toContain(
        "not a whole number from 1 to 9",
      );
    }
  });

  test("accepts only declared choices", () => {
    expect(choiceOption({ state: "finished" }, "state", ["finished", "unfinished"])).toBe("finished");
    expect(choiceOption({}, "state", ["finished"])).toBeUndefined();
    expect(refusal(() => choiceOption({ state: "lost" }, "state", ["finished"]))).toBe('--state is "lost"');
  });
});
