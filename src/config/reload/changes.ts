/** What differs between two configurations, in words and without secrets. */
import type { Settings } from "../config.ts";
import { withoutSecrets } from "../print/secrets.ts";
import { tomlOf, typedValue } from "../print/toml.ts";
import { type Config, keyOf, type Name, namesIn, tableNames } from "../schema.ts";
import { isLive } from "./live.ts";

/** A value that a file, a flag or a variable gave another than before. */
export interface Change {
  name: Name;
  /** `retention.keep-streams` */
  key: string;
  /** As TOML. A secret that changed looks the same on both sides. */
  from: string;
  to: string;
}

export interface Changes {
  /** What takes effect while the server runs. */
  live: Change[];
  needRestart: Change[];
}

export function changesBetween(before: Settings, after: Settings): Changes {
  const all = tableNames.flatMap((table) =>
    namesIn(table)
      .filter((name) => exactly(name, before) !== exactly(name, after))
      .map((name) => ({
        name,
        key: `${table}.${keyOf(name)}`,
        from: shown(name, before),
        to: shown(name, after),
      })),
  );
  return {
    live: all.filter(({ name }) => isLive(name)),
    needRestart: all.filter(({ name }) => !isLive(name)),
  };
}

/** The running configuration with the values of `next` for what changes. */
export function withLiveChanges(running: Config, next: Config, { live }: Changes): Config {
  const values = Object.fromEntries(live.map(({ name }) => [name, next[name]]));
  return Object.freeze({ ...running, ...values });
}

function exactly(name: Name, { all }: Settings): string {
  const { given, value } = all.get(name)!;
  return tomlOf(typedValue(given, value));
}

function shown(name: Name, { all }: Settings): string {
  const { given, value } = all.get(name)!;
  return tomlOf(withoutSecrets(name, typedValue(given, value)));
}
