/** A configuration file with every key, its default and its meaning: all of it in comments, so it changes nothing. */
import * as v from "valibot";
import { keyOf, type Name, namesIn, type Option, options, type TableName, tableNames } from "../schema.ts";
import { tomlOf, typedValue } from "./toml.ts";

/** What tables may say beyond the one text of the flag. */
const tableExamples: Partial<Record<Name, string>> = {
  policy: `[[retention.policy]]
pattern = "streams/radio-*"
mode = "evict"
max-bytes = "50GiB"
max-age = "30d"
min-free = "5GiB"
keep-newest = 10
keep-last = "1d"`,
  hook: `[[events.hook]]
name = "index"
url = "https://hooks.example/wavecache"
types = ["stream.*", "recording.closed"]
subjects = ["streams/radio-*"]`,
  silenceFor: `[recordings.silence-for]
kitchen = { dbfs = -40, seconds = 5 }`,
  sounds: `[devices.sounds]
startup = "hello.wav"
1 = "chimes/one.mp3"`,
};

export function exampleFile(): string {
  const head = "# Configuration of wavecache. Remove the # before a key to change its value.";
  return [head, ...tableNames.map(exampleOfTable)].join("\n\n") + "\n";
}

/** Tables come last: the keys behind them would be theirs. */
function exampleOfTable(table: TableName): string {
  const names = namesIn(table);
  const below = names.flatMap((name) => tableExamples[name] ?? []);
  return [`[${table}]`, ...names.map(exampleOfKey), ...below.map(commented)].join("\n\n");
}

function exampleOfKey(name: Name): string {
  const { help, schema, default: preset }: Option = options[name];
  const isTable = tableExamples[name] !== undefined;
  const value = tomlOf(typedValue(preset, v.parse(schema, preset)));
  return commented(`${help}${isTable ? "; or tables, see below" : ""}\n${keyOf(name)} = ${value}`);
}

function commented(text: string): string {
  return text.replaceAll(/^/gm, "# ");
}
