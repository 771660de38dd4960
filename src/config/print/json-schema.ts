/** A JSON Schema of the configuration file, for editors that complete and check it (such as Taplo's `#:schema`). */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { typedValue } from "./toml.ts";
import { keyOf, type Name, namesIn, type Option, options, type TableName, tableNames } from "../schema.ts";

type JsonSchema = ReturnType<typeof toJsonSchema>;

export function fileJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "wavecache.toml",
    ...strictObject(tableNames.map((table) => [table, schemaOfTable(table)])),
  };
}

function schemaOfTable(table: TableName): JsonSchema {
  return strictObject(namesIn(table).map((name) => [keyOf(name), schemaOfOption(name)]));
}

function schemaOfOption(name: Name): JsonSchema {
  const { help, schema, tables, default: preset }: Option = options[name];
  const forms = [schema, ...(tables === undefined ? [] : [tables])].map(inputSchema);
  const form = forms.length === 1 ? forms[0]! : { anyOf: forms };
  const typed = typedValue(preset, v.parse(schema, preset)) as JsonSchema["default"];
  return { ...form, description: help, default: typed };
}

/** What a file may hold. Conditions that no JSON Schema can state are left to the server. */
function inputSchema(schema: Option["schema"]): JsonSchema {
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
  return rest;
}

function strictObject(properties: [string, JsonSchema][]): JsonSchema {
  return { type: "object", properties: Object.fromEntries(properties), additionalProperties: false };
}
