/** The values in force as a configuration file, with where each comes from. */
import type { Settings } from "../config.ts";
import { keyOf, type Name, namesIn, type TableName, tableNames } from "../schema.ts";
import { withoutSecrets } from "./secrets.ts";
import { tomlOf, typedValue } from "./toml.ts";

export function showSettings(settings: Settings): string {
  const head = `# Configuration file: ${settings.file ?? "none"}. A flag overrides its variable, that overrides the file.`;
  return [head, ...tableNames.map((table) => showTable(table, settings))].join("\n\n") + "\n";
}

function showTable(table: TableName, settings: Settings): string {
  const lines = namesIn(table).map((name) => showSetting(name, settings));
  const width = Math.min(widestAligned, Math.max(...lines.map(({ text }) => text.length)));
  return [`[${table}]`, ...lines.map(({ text, source }) => `${text.padEnd(width)}  # ${source}`)].join("\n");
}

const widestAligned = 60;

function showSetting(name: Name, { all }: Settings): { text: string; source: string } {
  const { given, value, source = "default" } = all.get(name)!;
  const shown = withoutSecrets(name, typedValue(given, value));
  return { text: `${keyOf(name)} = ${tomlOf(shown)}`, source };
}
