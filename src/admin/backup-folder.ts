/**
 * The folder of a backup. It has the layout of a cache folder, so `doctor` checks it too:
 *
 *     backup.json       what the backup is; written first, and again when a backup is complete
 *     catalog.db        finished streams, recordings, devices and tokens
 *     journal-v1/       the finished streams once more
 *     objects-v1/       their audio
 *     recordings/       the files of recordings, if they were asked for
 *     lock              held by a backup that runs
 */
import * as fs from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { WavecacheError } from "../base/errors.ts";
import { CacheLayout, isMissing, syncFolder } from "../store/layout.ts";

const manifestSchema = v.object({
  backup: v.literal(1),
  /** False during the first backup into the folder. */
  isComplete: v.boolean(),
  /** ISO 8601: when the last complete backup began. */
  startedAt: v.string(),
  /** Of the server's program. */
  version: v.string(),
  hasRecordings: v.boolean(),
});

export type Manifest = v.InferOutput<typeof manifestSchema>;

export class BackupFolder extends CacheLayout {
  readonly recordings: string;
  readonly manifestPath: string;
  /** The catalog of a backup that runs. */
  readonly draftCatalog: string;

  constructor(root: string) {
    super(root);
    this.recordings = join(root, "recordings");
    this.manifestPath = join(root, "backup.json");
    this.draftCatalog = join(root, "catalog.db.draft");
  }

  /** Undefined if the folder is empty or missing. Throws BACKUP_UNUSABLE if it is anything but a backup. */
  readManifest(): Manifest | undefined {
    const text = this.#readText();
    if (text === undefined) return undefined;
    const result = v.safeParse(v.pipe(v.string(), v.parseJson(), manifestSchema), text);
    if (result.success) return result.output;
    throw new WavecacheError("BACKUP_UNUSABLE", `${this.manifestPath} is of another version, or damaged`);
  }

  #readText(): string | undefined {
    try {
      return fs.readFileSync(this.manifestPath, "utf8");
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    if (!fs.existsSync(this.root) || fs.readdirSync(this.root).length === 0) return undefined;
    throw new WavecacheError("BACKUP_UNUSABLE", `${this.root} is neither empty nor a backup`);
  }

  writeManifest(manifest: Manifest): void {
    const draft = `${this.manifestPath}.draft`;
    const descriptor = fs.openSync(draft, "w", 0o600);
    try {
      fs.writeSync(descriptor, `${JSON.stringify(manifest, undefined, 2)}\n`);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(draft, this.manifestPath);
    syncFolder(this.root);
  }
}
