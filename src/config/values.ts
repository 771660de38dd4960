/**
 * What the value of an option may look like: each schema turns its text into a value, or says what it expects. A
 * configuration file may hold numbers, booleans and arrays where the command line has only text.
 */
import { type LogLevels, parseLogLevels } from "../base/log/log-levels.ts";
import * as v from "valibot";
import { strictTable } from "./strict-table.ts";
import { GrantError, Grants } from "../access/grants.ts";
import { AddressList } from "../base/address-list.ts";
import { GiB, KiB, MiB } from "../base/limits/units.ts";
import { HostNames } from "../listen/host.ts";
import { Origins } from "../listen/origin.ts";
import { sanitizeHwid } from "../wire/ingest.ts";
import { isSongName } from "../base/ids/song-name.ts";

export function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  const range = inRange(min, max, expected);
  return v.union(
    [
      v.pipe(v.number(), v.integer(expected), ...range),
      v.pipe(v.string(), v.regex(/^\d+$/, expected), v.transform(Number), ...range),
    ],
    expected,
  );
}

function inRange(min: number, max: number, expected: string) {
  return [
    v.minValue<number, number, string>(min, expected),
    v.maxValue<number, number, string>(max, expected),
  ] as const;
}

/** Text with this separator between its parts; in a configuration file also an array of them. */
function list(separator: string, expected: string) {
  const joined = v.pipe(
    v.array(v.string()),
    v.transform((parts) => parts.join(separator)),
  );
  return v.union([v.string(), joined], expected);
}

/** Days, or "off". A fraction is allowed. */
export const days = v.union(
  [
    v.literal("off"),
    v.pipe(v.number(), v.gtValue(0), v.maxValue(3650)),
    v.pipe(v.string(), v.regex(/^\d+(?:\.\d+)?$/), v.transform(Number), v.gtValue(0), v.maxValue(3650)),
  ],
  "a number of days up to 3650, such as 30 or 0.5, or off",
);

const expectedDecibels = "a level from -100 to 0 dBFS";

const decibelRange = inRange(-100, 0, expectedDecibels);

/** A level below full scale. */
export const decibels = v.union(
  [
    v.pipe(v.number(), ...decibelRange),
    v.pipe(
      v.string(),
      v.regex(/^-?\d{1,3}(?:\.\d+)?$/, expectedDecibels),
      v.transform(Number),
      ...decibelRange,
    ),
  ],
  expectedDecibels,
);

const textExpected = "a text that is not empty";
export const text = v.pipe(v.string(textExpected), v.nonEmpty(textExpected));

/** Of a file descriptor beyond standard error; undefined for an empty text. */
export const optionalDescriptor = v.union(
  [
    v.pipe(
      v.literal(""),
      v.transform((): number | undefined => undefined),
    ),
    wholeNumber(3, 65_535),
  ],
  "the number of a file descriptor from 3 on",
);

/** Undefined for an empty text. */
export const optionalText = v.pipe(
  v.string(),
  v.transform((given) => (given === "" ? undefined : given)),
);

/** A port, or "off" for a gateway that does not listen. 0 picks a free port. */
export const port = v.union([v.literal("off"), wholeNumber(0, 65_535)], "a port from 0 to 65535, or off");

/** An address to listen on, or the path of a Unix socket with port 0. */
export interface ListenAddress {
  host: string;
  port: number;
}

const listenExpected =
  "addresses with ports, or paths of sockets, such as 10.0.0.5:8080,[::1]:8080,/run/wavecache.sock";

export const listenAddresses = v.pipe(
  list(",", listenExpected),
  v.transform((given) =>
    given
      .split(",")
      .filter(Boolean)
      .map((each) => parseListenAddress(each.trim())),
  ),
  v.check((parsed) => !parsed.includes(undefined), listenExpected),
  v.transform((parsed) => parsed.filter((address) => address !== undefined)),
);

function parseListenAddress(given: string): ListenAddress | undefined {
  // The system cuts longer paths, or refuses them.
  if (/^(?:unix:)?\/[^\0]{1,100}$/.test(given)) return { host: given.replace(/^unix:/, ""), port: 0 };
  const [, bracketed, plain, port = ""] =
    /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(given) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}

export const urlPath = v.pipe(
  v.string(),
  v.regex(/^\/[A-Za-z0-9_./-]*[A-Za-z0-9_.-]$/, "a path such as /audio"),
);

/** A path, or an empty text for none. */
export const optionalUrlPath = v.union([v.literal(""), urlPath], "a path such as /wavecache");

const networksExpected = "networks separated by commas, such as 10.0.0.0/8";

export const networks = v.pipe(
  list(",", networksExpected),
  v.transform((given) => AddressList.parse(given)),
  v.custom<AddressList>((parsed) => parsed !== undefined, networksExpected),
);

/** Grants, or undefined for an empty text. The message says what is wrong with them. */
export const optionalGrants = v.pipe(
  list(" ", "grants, such as read,list:library/**@10.0.0.0/8"),
  v.rawTransform(({ dataset, addIssue, NEVER }): Grants | undefined => {
    if (dataset.value === "") return undefined;
    try {
      return Grants.parse(dataset.value);
    } catch (error) {
      if (!(error instanceof GrantError)) throw error;
      addIssue({ message: `grants: ${error.message}` });
      return NEVER;
    }
  }),
);

const hostNamesExpected = "host names separated by commas, such as music.example or *.music.example";

export const hostNames = v.pipe(
  list(",", hostNamesExpected),
  v.transform((given) => HostNames.parse(given)),
  v.custom<HostNames>((names) => names !== undefined, hostNamesExpected),
);

const levelsExpected = "one of debug, info, warning, error, or also by part, as info,wavecache.store=debug";

export const logLevelsText = v.pipe(
  v.string(levelsExpected),
  v.transform((given) => parseLogLevels(given)),
  v.custom<LogLevels>((levels) => levels !== undefined, levelsExpected),
);

const originsExpected = "origins separated by commas, such as https://music.example";

export const origins = v.pipe(
  list(",", originsExpected),
  v.transform((given) => Origins.parse(given)),
  v.custom<Origins>((parsed) => parsed !== undefined, originsExpected),
);

const units: Record<string, number> = { "": 1, KiB, MiB, GiB };

const sizeExpected = "a number of bytes, also as 512MiB or 4GiB";

/** Bytes. */
export const size = v.union(
  [
    v.pipe(v.number(), v.integer(sizeExpected), v.minValue(1, "at least 1 byte")),
    v.pipe(
      v.string(),
      v.regex(/^\d+(KiB|MiB|GiB)?$/, sizeExpected),
      v.transform((given) => Number.parseInt(given, 10) * units[given.replace(/^\d+/, "")]!),
      v.minValue(1, "at least 1 byte"),
    ),
  ],
  sizeExpected,
);

/** Bytes; undefined for an empty text. */
export const optionalSize = v.union(
  [
    v.pipe(
      v.literal(""),
      v.transform((): number | undefined => undefined),
    ),
    size,
  ],
  "a number of bytes, also as 512MiB or 5GiB",
);

const secondsOfUnit: Record<string, number> = { s: 1, m: 60, h: 3600, d: 24 * 3600 };
const sizeText = /^[1-9]\d*(?:KiB|MiB|GiB)?$/;
const ageText = /^([1-9]\d{0,5})([smhd])$/;

/** How much of something is kept, and for how long. */
export interface Kept {
  maxBytes?: number;
  maxAgeMs?: number;
}

const keptExpected = "a size, an age or both, such as 50GiB or 50GiB,30d";

/** `50GiB`, `30d`, or `50GiB,30d`; undefined for an empty text. */
export const kept = v.pipe(
  list(",", keptExpected),
  v.check((given) => given === "" || parseKept(given) !== undefined, keptExpected),
  v.transform((given) => (given === "" ? undefined : parseKept(given))),
);

export function parseKept(given: string): Kept | undefined {
  const parts = given.split(",").map((part) => part.trim());
  const found: Kept = {};
  for (const part of parts) {
    const [, count, unit] = ageText.exec(part) ?? [];
    if (count !== undefined) found.maxAgeMs = Number(count) * secondsOfUnit[unit!]! * 1000;
    else if (sizeText.test(part)) found.maxBytes = v.parse(size, part);
    else return undefined;
  }
  return Object.keys(found).length === parts.length ? found : undefined;
}

export function sizeBetween(min: number, max: number) {
  const expected = `a size from ${min / MiB}MiB to ${max / MiB}MiB`;
  return v.pipe(size, v.minValue(min, expected), v.maxValue(max, expected));
}

/** A number, or "auto" for undefined. */
export function wholeNumberOrAuto(min: number, max: number) {
  const auto = v.pipe(
    v.literal("auto"),
    v.transform((): number | undefined => undefined),
  );
  return v.union([auto, wholeNumber(min, max)], `a whole number from ${min} to ${max}, or auto`);
}

export const trueOrFalse = v.union(
  [
    v.boolean(),
    v.pipe(
      v.string(),
      v.regex(/^(?:true|1|yes|on|false|0|no|off|)$/i, "true or false"),
      v.transform((given) => /^(?:true|1|yes|on)$/i.test(given)),
    ),
  ],
  "true or false",
);

const soundsExpected =
  "startup=NAME,1=NAME and so on up to 5, each once, with names of files below the library folder";

/** `startup=hello.wav,1=a/b.mp3`: file names by mode; the start-up sound has mode 0. */
export const soundFiles = v.pipe(
  v.string(),
  v.transform((given) => given.split(",").filter(Boolean).map(parseSound)),
  v.check((parsed) => new Set(parsed.map((sound) => sound?.[0])).size === parsed.length, soundsExpected),
  v.check((parsed) => !parsed.includes(undefined), soundsExpected),
  v.transform(
    (parsed): ReadonlyMap<number, string> => new Map(parsed.filter((sound) => sound !== undefined)),
  ),
);

/** The same as a table: `startup = "hello.wav"`, `1 = "a/b.mp3"`. */
export const soundFileTable = v.pipe(
  v.record(
    v.picklist(["startup", "1", "2", "3", "4", "5"], "startup, or a mode from 1 to 5"),
    v.pipe(v.string(), v.check(isSongName, "the name of a file below the library folder")),
  ),
  v.transform(
    (files): ReadonlyMap<number, string> =>
      new Map(Object.entries(files).map(([mode, name]) => [mode === "startup" ? 0 : Number(mode), name])),
  ),
);

function parseSound(given: string): [mode: number, name: string] | undefined {
  const [, mode, name] = /^(startup|[0-5])=(.*)$/s.exec(given.trim()) ?? [];
  if (mode === undefined || name === undefined || !isSongName(name)) return undefined;
  return [mode === "startup" ? 0 : Number(mode), name];
}

/** The limits of sound of a device. */
export interface SoundLimits {
  dbfs: number;
  silenceMs: number;
}

const soundThreshold = /^([^=,/]+)=(-?\d{1,3}(?:\.\d+)?)\/(\d{1,4})$/;

/** `kitchen=-40/5,garage=-60/2`: the threshold in dBFS and the seconds of silence, by hardware id. */
export const soundThresholds = v.pipe(
  v.string(),
  v.transform((given) => given.split(",").filter(Boolean).map(parseThreshold)),
  v.custom<[string, SoundLimits][]>(
    (parsed) => Array.isArray(parsed) && !parsed.includes(undefined),
    "DEVICE=DBFS/SECONDS, separated by commas, such as kitchen=-40/5",
  ),
  v.transform((parsed): ReadonlyMap<string, SoundLimits> => new Map(parsed)),
);

/** The same as tables: `kitchen = { dbfs = -40, seconds = 5 }`. */
export const soundThresholdTables = v.pipe(
  v.record(
    v.pipe(
      v.string(),
      v.check((hwid) => sanitizeHwid(hwid) !== undefined, "the hardware id of a device"),
    ),
    strictTable({ dbfs: decibels, seconds: wholeNumber(1, 9999) }),
  ),
  v.transform(
    (given): ReadonlyMap<string, SoundLimits> =>
      new Map(
        Object.entries(given).map(([hwid, { dbfs, seconds }]) => [
          sanitizeHwid(hwid)!,
          { dbfs, silenceMs: seconds * 1000 },
        ]),
      ),
  ),
);

function parseThreshold(given: string): [string, SoundLimits] | undefined {
  const [, device, dbfs, seconds] = soundThreshold.exec(given.trim()) ?? [];
  const hwid = device === undefined ? undefined : sanitizeHwid(device);
  if (hwid === undefined || Number(dbfs) < -100 || Number(dbfs) > 0 || seconds === "0") return undefined;
  return [hwid, { dbfs: Number(dbfs), silenceMs: Number(seconds) * 1000 }];
}

/** Undefined for an empty text. */
export const optionalNetworks = v.pipe(
  list(",", networksExpected),
  v.transform((given) => (given === "" ? undefined : (AddressList.parse(given) ?? "wrong"))),
  v.custom<AddressList | undefined>((parsed) => parsed !== "wrong", networksExpected),
);

const argumentsSchema = v.pipe(v.array(v.string()), v.nonEmpty());

const commandExpected = 'the path of a program, or a JSON array such as ["/bin/program", "-x"]';

/** A program, or an array of it and its arguments, in text as JSON. Undefined for an empty text. */
export const command = v.pipe(
  v.union([v.string(), argumentsSchema], commandExpected),
  v.transform((given) => (typeof given === "string" ? parseCommand(given) : given)),
  v.custom<string[] | undefined>((parsed) => parsed !== "wrong", commandExpected),
);

function parseCommand(given: string): string[] | "wrong" | undefined {
  if (given === "") return undefined;
  if (!given.startsWith("[")) return [given];
  try {
    return v.parse(argumentsSchema, JSON.parse(given));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof v.ValiError) return "wrong";
    throw error;
  }
}
