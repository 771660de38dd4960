/** Where the configuration file is: where the operator says, or at the first usual place that has one. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, type Environment } from "../schema.ts";

const fileName = "wavecache.toml";

/** Its path and text; undefined if there is none. Throws a `ConfigError` if the file that was asked for cannot be read. */
export function findFile(
  given: string | undefined,
  environment: Environment,
): { path: string; text: string } | undefined {
  if (given === "off") return undefined;
  const path = given ?? usualPlaces(environment).find((place) => existsSync(place));
  if (path === undefined) return undefined;
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (error) {
    throw new ConfigError(
      `configuration file ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** In the order in which they are looked at. */
function usualPlaces({ XDG_CONFIG_HOME: configHome, HOME: home }: Environment): string[] {
  const folder = configHome || (home && join(home, ".config"));
  const own = folder ? [join(folder, "wavecache", fileName)] : [];
  return [fileName, ...own, join("/etc/wavecache", fileName)];
}
