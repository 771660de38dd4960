/** Reads the options that a configuration file sets, or says everything that is wrong with it. */
import * as v from "valibot";
import {
  ConfigError,
  keyOf,
  type Name,
  namesIn,
  type Option,
  options,
  type TableName,
  tableNames,
} from "../schema.ts";
import { didYouMean } from "../did-you-mean.ts";
import { type KeyPath, nameOfPath, parseFile, type ParsedFile } from "./parse-file.ts";

/** What a file says of an option. */
export interface FileSetting {
  value: unknown;
  /** As it stands in the file. */
  given: unknown;
  line: number;
}

/** A file with mistakes: `message` has the first of them. */
export class FileError extends ConfigError {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more: see server config check)` : "";
    super(`${mistakes[0]}${more}`);
    this.mistakes = mistakes;
  }
}

function keysOf(table: TableName): string[] {
  return namesIn(table).map(keyOf);
}

/** Throws a `FileError`, or a `ConfigError` for a syntax error. */
export function readFile(path: string, text: string): Map<Name, FileSetting> {
  const reader = new Reader(parseFile(path, text));
  return reader.read();
}

class Reader {
  readonly #file: ParsedFile;
  readonly #mistakes: { line: number; text: string }[] = [];
  readonly #found = new Map<Name, FileSetting>();

  constructor(file: ParsedFile) {
    this.#file = file;
  }

  read(): Map<Name, FileSetting> {
    for (const [key, given] of Object.entries(this.#file.root)) this.#readTable(key, given);
    if (this.#mistakes.length === 0) return this.#found;
    const { path } = this.#file;
    const ordered = this.#mistakes.toSorted((a, b) => a.line - b.line);
    throw new FileError(ordered.map(({ line, text }) => `${path}:${line}: ${text}`));
  }

  #readTable(key: string, given: unknown): void {
    const name = tableNames.find((each) => each === key);
    if (name === undefined) return this.#refuse([key], unknownTable(key));
    if (!isTable(given)) return this.#refuse([key], `${key} is a table: write [${key}]`);
    for (const [option, value] of Object.entries(given)) this.#readOption(name, option, value);
  }

  #readOption(table: TableName, key: string, given: unknown): void {
    const name = namesIn(table).find((each) => keyOf(each) === key);
    if (name === undefined) return this.#refuse([table, key], unknownKey(table, key));
    const option: Option = options[name];
    const schema = option.tables !== undefined && typeof given === "object" ? option.tables : option.schema;
    const result = v.safeParse(schema, given, { message: expectedType });
    const path = [table, key];
    if (result.success) this.#found.set(name, { value: result.output, given, line: this.#file.lineOf(path) });
    else for (const issue of result.issues) this.#refuseValue(path, issue, given);
  }

  #refuseValue(option: KeyPath, issue: v.BaseIssue<unknown>, given: unknown): void {
    const inner = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
    const path = [...option, ...inner];
    // For an unknown key the path has said it all.
    const value = inner.length === 0 ? given : issue.expected === "never" ? undefined : issue.input;
    const shown = hasTable(value) || value === undefined ? "" : ` ${JSON.stringify(value)}`;
    this.#refuse(path, `${nameOfPath(path)}${shown}: expected ${issue.message}`);
  }

  #refuse(path: KeyPath, text: string): void {
    this.#mistakes.push({ line: this.#file.lineOf(path), text });
  }
}

function isTable(given: unknown): given is Record<string, unknown> {
  return typeof given === "object" && given !== null && !Array.isArray(given) && !(given instanceof Date);
}

function hasTable(given: unknown): boolean {
  return isTable(given) || (Array.isArray(given) && given.some(isTable));
}

function unknownTable(key: string): string {
  const owner = tableNames.find((each) => keysOf(each).includes(key));
  if (owner !== undefined) return `${key} belongs in the table [${owner}]`;
  return `unknown table [${key}]${didYouMean(key, tableNames)}`;
}

/** Knows the table of each key, as many people will not. */
function unknownKey(table: TableName, key: string): string {
  const owner = tableNames.find((each) => keysOf(each).includes(key));
  if (owner !== undefined) return `${key} belongs in the table [${owner}]`;
  const similar = didYouMean(key, keysOf(table)) || didYouMean(key, tableNames.flatMap(keysOf));
  return `unknown key ${table}.${key}${similar}`;
}

/** For schemas without a text of their own for a value of a wrong type. */
function expectedType({ expected }: v.BaseIssue<unknown>): string {
  return expected === "string" ? "a text" : expected === "Array" ? "an array" : `a ${expected}`;
}
