/** Parses TOML, and keeps the line of each key: an error says where it is. */
import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";
import { ConfigError } from "../schema.ts";

/** From the root: names of keys, and indexes in arrays. */
export type KeyPath = readonly (string | number)[];

export interface ParsedFile {
  path: string;
  root: Readonly<Record<string, unknown>>;
  /** The line of a key, or of the nearest table around it. */
  lineOf(path: KeyPath): number;
}

/** Throws a `ConfigError` with the line of a syntax error. */
export function parseFile(path: string, text: string): ParsedFile {
  try {
    const program = parseTOML(text, { tomlVersion: "1.0.0" });
    const lines = new Map<string, number>();
    for (const node of program.body[0].body) addLines(lines, [], node);
    const lineOf = (key: KeyPath): number =>
      lines.get(nameOfPath(key)) ?? (key.length === 0 ? 1 : lineOf(key.slice(0, -1)));
    return { path, root: getStaticTOMLValue(program), lineOf };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new ConfigError(`${path}:${error.lineNumber}: no TOML: ${error.message}`);
  }
}

/** `events.hook[1].url` */
export function nameOfPath(path: KeyPath): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${part}`))
    .join("");
}

function addLines(
  lines: Map<string, number>,
  parent: KeyPath,
  node: AST.TOMLTable | AST.TOMLKeyValue | AST.TOMLContentNode,
): void {
  if (node.type === "TOMLArray")
    return node.elements.forEach((element, index) => addLines(lines, [...parent, index], element));
  if (node.type === "TOMLInlineTable") return node.body.forEach((each) => addLines(lines, parent, each));
  if (node.type === "TOMLValue") return;
  const own = node.type === "TOMLTable" ? node.resolvedKey : node.key.keys.map(nameOfKey);
  const path = [...parent, ...own];
  lines.set(nameOfPath(path), node.loc.start.line);
  if (node.type === "TOMLKeyValue") return addLines(lines, path, node.value);
  for (const each of node.body) addLines(lines, path, each);
}

function nameOfKey(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === "TOMLBare" ? key.name : key.value;
}
