/** The tables of docs/configuration.md: one a table of the configuration file, with its options as rows. */
import { isLive } from "../reload/live.ts";
import { flagOf, type Name, namesIn, type Option, options, type TableName, tableNames } from "../schema.ts";

/** A default that depends on the machine that prints it. */
const defaultsInWords: Partial<Record<Name, string>> = { workers: "processors - 1, at most 8" };

const begins = (table: TableName): string => `<!-- [${table}] -->`;
const ends = "<!-- end -->";

/** The document with its tables as the schema has them. Throws if the place of one is missing. */
export function withOptionTables(document: string): string {
  return tableNames.reduce((text, table) => {
    const from = text.indexOf(begins(table));
    const to = text.indexOf(ends, from);
    if (from < 0 || to < 0) throw new Error(`no place for ${begins(table)} and ${ends}`);
    return `${text.slice(0, from)}${begins(table)}\n\n${tableOf(table)}\n\n${text.slice(to)}`;
  }, document);
}

function tableOf(table: TableName): string {
  const head = ["Flag", "Default", "Reload", "Meaning"];
  const rows = namesIn(table).map(rowOf);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function rowOf(name: Name): string[] {
  const { help, default: preset }: Option = options[name];
  const shown = defaultsInWords[name] ?? `\`${preset || "none"}\``;
  return [`\`${flagOf(name)}\``, shown, isLive(name) ? "yes" : "restart", sentence(help)];
}

/** The characters that Markdown would take for its own are escaped. */
function sentence(help: string): string {
  const escaped = help.replaceAll(/[*|]/g, "\\$&");
  return `${escaped[0]!.toUpperCase()}${escaped.slice(1)}.`;
}
