/** The table of docs/events.md, held against the schemas. */
import { expect, test } from "bun:test";
import { eventTypeNames, eventTypes } from "../store/events/types.ts";
import { readDocument } from "./harness/documents.ts";

test("docs/events.md has every type of event with its subject, its data and its description", () => {
  const rows = Array.from(
    readDocument("docs/events.md").matchAll(/^\| `([a-z]+\.[a-z]+)` +\| `(.*?)` +\| (.*?) +\| (.*?) +\|$/gm),
    ([, type, subject, fields, description]) => ({ type, subject, fields, description }),
  );
  const expected = eventTypeNames.map((type) => {
    const { subject, data, description } = eventTypes[type];
    const fields = Object.keys(data.entries)
      .map((field) => `\`${field}\``)
      .join(", ");
    return { type, subject, fields, description };
  });
  expect(rows).toEqual(expected);
});
