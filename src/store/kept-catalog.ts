/**
 * The catalog of a cache folder: in a file of the folder, or in a PostgreSQL database that several nodes share. Then the
 * folder has a file with the id of its node, which says whose rows are about its files.
 */
import * as fs from "node:fs";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { type CacheLayout, isMissing, sizeOfFile, syncFolder } from "./layout.ts";
import { PostgresCatalog } from "./postgres/catalog.ts";
import { isCatalogLost } from "./streams/recover.ts";
import type { SharedCatalog } from "./shared-catalog.ts";
import type { SqlCatalog } from "./streams/sql/catalog.ts";
import { SqliteCatalog } from "./streams/sqlite/catalog.ts";
import { copyCatalog, installCatalog } from "./streams/sqlite/rescue.ts";

/** Where a shared catalog is. */
export interface CatalogAddress {
  /** `postgres://user@host:port/database` */
  url: string;
  /** Read at each connection. Without it the variable PGPASSWORD counts. */
  passwordFile: string | undefined;
}

export interface KeptCatalog {
  readonly catalog: SqlCatalog;
  /** The file of the folder that shows whether it is still the same store. */
  readonly mark: string;
  /** These two are undefined if no other node uses it. */
  readonly shared: SharedCatalog | undefined;
  /** The id of this node. */
  readonly node: string | undefined;
  /** Closes after a fault, and saves what was committed. Throws if that is impossible for now. */
  abandon(): void;
}

/** `onFault` is called once, after which the catalog cannot be used any more. Throws CATALOG_LOST and others. */
export function openCatalog(
  layout: CacheLayout,
  address: CatalogAddress | null,
  onFault: (error: WavecacheError) => void = () => {},
): KeptCatalog {
  layout.create();
  return address === null ? openFile(layout, onFault) : openDatabase(layout, address, onFault);
}

/** Opening a store that is gone would create an empty one in its place. */
export function requireStore({ catalog, node }: CacheLayout, address: CatalogAddress | null): void {
  const mark = address === null ? catalog : node;
  if (sizeOfFile(mark) === undefined) throw new WavecacheError("STORE_LOST", mark);
}

function openFile(layout: CacheLayout, onFault: (error: WavecacheError) => void): KeptCatalog {
  const { catalog: path, node } = layout;
  if (fs.existsSync(node)) {
    const detail = `${node} says that the catalog is in PostgreSQL; name it with --catalog`;
    throw new WavecacheError("CATALOG_LOST", detail);
  }
  // Before a new catalog is created, which would hide the loss from the next start.
  if (isCatalogLost(layout)) throw new WavecacheError("CATALOG_LOST", path);
  const fail = (error: unknown) =>
    onFault(new WavecacheError("STORE_FAILED", toWavecacheError(error).detail));
  const catalog = new SqliteCatalog(path, undefined, fail);
  const abandon = () => {
    const copy = copyCatalog(path);
    catalog.abandon();
    installCatalog(copy, path);
  };
  return { catalog, mark: path, shared: undefined, node: undefined, abandon };
}

function openDatabase(
  layout: CacheLayout,
  { url, passwordFile }: CatalogAddress,
  onFault: (error: WavecacheError) => void,
): KeptCatalog {
  const password = passwordFile === undefined ? undefined : fs.readFileSync(passwordFile, "utf8").trim();
  const node = nodeOf(layout);
  const settings = { url, password, node };
  const catalog = new PostgresCatalog(settings, undefined, onFault);
  return { catalog, mark: layout.node, shared: catalog, node, abandon: () => catalog.abandon() };
}

/** The id of this node, which is made at the first start. A crash leaves the whole file or none. */
function nodeOf({ node: path, root }: CacheLayout): string {
  try {
    return fs.readFileSync(path, "utf8").trim();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const id = crypto.randomUUID();
  const draft = `${path}.tmp`;
  fs.writeFileSync(draft, `${id}\n`, { flush: true });
  fs.renameSync(draft, path);
  syncFolder(root);
  return id;
}
