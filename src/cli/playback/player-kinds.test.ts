import { describe, expect, test } from "bun:test";
import { choosePlayer, parseSeek, isStreamable } from "./player-kinds.ts";

const among =
  (...commands: string[]) =>
  (command: string) =>
    commands.includes(command);

describe("the choice of a player", () => {
  test.each([
    ["audio/mpeg", ["mpv", "ffplay", "aplay"], "ffplay"],
    ["audio/mpeg", ["mpv", "aplay"], "mpv"],
    ["audio/wav", ["aplay", "paplay"], "aplay"],
    ["audio/ogg; codecs=vorbis", ["aplay", "paplay"], "paplay"],
    ["audio/mpeg", ["afplay"], "afplay"],
    ["audio/mpeg", ["aplay", "paplay", "pw-play"], undefined],
    ["audio/ogg; codecs=opus", ["afplay"], undefined],
    [undefined, ["aplay", "afplay"], undefined],
    [undefined, ["mpv"], "mpv"],
    ["audio/wav", [], undefined],
  ])("for %s among %j is %s", (format, there, command) => {
    expect(choosePlayer({ format, seekSeconds: undefined }, among(...there))?.command).toBe(command);
  });

  test("excludes players that cannot seek if --seek is given", () => {
    const request = { format: "audio/wav", seekSeconds: 5 };
    expect(choosePlayer(request, among("aplay", "mpv"))?.command).toBe("mpv");
    expect(choosePlayer(request, among("aplay", "paplay"))).toBeUndefined();
  });
});

test("a player gets its input and its start position as arguments", () => {
  const [ffplay, mpv] = ["ffplay", "mpv"].map((name) =>
    choosePlayer({ format: undefined, seekSeconds: 90.5 }, among(name))!,
  );
  expect(ffplay!.args(undefined, 90.5).join(" ")).toEndWith(
    "-af asetpts=PTS-STARTPTS,atrim=start=90.5 -i pipe:0",
  );
  expect(ffplay!.args("/tmp/a", undefined).join(" ")).toEndWith("error -i /tmp/a");
  expect(mpv!.args(undefined, 90.5).slice(-2)).toEqual([
    "--af=lavfi=[asetpts=PTS-STARTPTS,atrim=start=90.5]",
    "-",
  ]);
});

const mp4 = (box: string) => Buffer.from(`\0\0\0\u0010ftypM4A \0\0\0\0\0\0\0\u0010${box}`, "latin1");

test("an MP4 is streamable if its index comes before the audio", () => {
  expect(isStreamable(mp4("moov"), "audio/mp4")).toBe(true);
  expect(isStreamable(mp4("mdat"), "audio/mp4")).toBe(false);
  expect(isStreamable(mp4("").subarray(0, 16), "audio/mp4")).toBe(false);
  expect(isStreamable(Buffer.from("RIFF"), "audio/wav")).toBe(true);
});

test.each([
  ["0", 0],
  ["90", 90],
  ["90.5", 90.5],
  ["1:30", 90],
  ["0:05.25", 5.25],
  ["120:00", 7200],
  ["1:01:30", 3690],
])("--seek %s is %d seconds", (text, seconds) => {
  expect(parseSeek(text)).toBe(seconds);
});

test.each(["", "-5", "1:60", "1:", ":30", "1:60:00", "1m", "1e3", "5,5", "1:2:3:4", "NaN"])(
  "--seek %j is not a time",
  (text) => {
    expect(parseSeek(text)).toBeUndefined();
  },
);
