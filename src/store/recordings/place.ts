/** Where the samples of recordings are, and how statements ask for it. */
import { type Dialect, otherNode } from "../sql/database.ts";

/** Where the samples of a recording are. */
export interface SamplesPlace {
  /** The node that has the files, if that is another one. */
  otherNode?: string;
  /** The archive has the samples; absent if it does not. */
  archive?: ArchivedCopy;
}

export interface ArchivedCopy {
  /** In the bucket, below the prefix. */
  key: string;
  /** The node of the recording has the `.wav`, too. */
  isLocal: boolean;
}

/** The `.wav` of the recording is in the recordings folder of this node, unless somebody removed it. */
export function isHere({ otherNode: node, archive }: SamplesPlace): boolean {
  return node === undefined && archive?.isLocal !== false;
}

/** Only rows that nodes share have a node; the rest is null if the archive does not have the samples. */
export interface PlaceColumns {
  node?: string;
  archive_key: string | null;
  archive_local: number | null;
}

/** The columns that tell where the samples of recordings `r` are, and their join. */
export const placeColumns = "a.key AS archive_key, a.is_local AS archive_local";
export const placeJoin = "LEFT JOIN archive_recordings a ON a.recording = r.id AND a.is_archived = 1";

export function placeOf(row: PlaceColumns, dialect: Dialect): SamplesPlace {
  const { archive_key: key, archive_local } = row;
  const place = otherNode(dialect, row);
  return key === null ? place : { ...place, archive: { key, isLocal: archive_local === 1 } };
}
