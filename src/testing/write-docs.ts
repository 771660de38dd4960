/** Writes what the documents have from the code: `bun run docs`. A test compares them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { withOptionTables } from "../config/print/markdown.ts";
import { projectFolder, readDocument } from "./harness/documents.ts";

const path = "docs/configuration.md";
writeFileSync(join(projectFolder, path), withOptionTables(readDocument(path)));
