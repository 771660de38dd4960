/** What the parts of the doctor share. */
import type { CatalogReader } from "../../store/catalog-reader.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import type { Problem, Progress } from "../report.ts";

export interface DoctorOptions {
  /** Read the whole of every file, and compare its SHA-256. */
  deep: boolean;
  repair: boolean;
  /** Build the catalog anew where it is lost or damaged. */
  rebuildCatalog: boolean;
}

export interface Store {
  layout: CacheLayout;
  recordingsDir: string;
  reader: CatalogReader;
  /** Undefined if a server has it open: then nothing can be mended. */
  catalog: SqliteCatalog | undefined;
}

export class Examination {
  readonly store: Store;
  readonly options: DoctorOptions;
  readonly progress: Progress;
  readonly problems: Problem[] = [];
  readonly figures: Record<string, number | string | boolean> = {};

  constructor(store: Store, options: DoctorOptions, progress: Progress) {
    this.store = store;
    this.options = options;
    this.progress = progress;
  }

  /** Reports a problem, and mends it if that is asked for. */
  async report(
    problem: Omit<Problem, "isMended">,
    mend?: (catalog: SqliteCatalog) => unknown,
  ): Promise<void> {
    const { catalog } = this.store;
    const canMend = this.options.repair && mend !== undefined && catalog !== undefined;
    if (canMend) await mend(catalog);
    this.problems.push({ ...problem, isMended: canMend });
  }
}
