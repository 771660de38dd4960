import { expect, test } from "bun:test";
import { commandText } from "./command-text.ts";

test("a command of the page is one that can be run where the server was started", () => {
  const text = "bun run client stream --wav data/samples/speech-16k-mono.wav --hwid kitchen";
  expect(commandText(text, "bun run")).toBe(text);
  expect(commandText(text, "wavecache")).toBe("wavecache client stream --wav speech.wav --hwid kitchen");
});
