/** What streams are built on, and what is set for them. */
import type { Tracer } from "../../base/tracing/tracer.ts";
import type { Bus } from "../../bus/bus.ts";
import type { Pool } from "../../pool/pool.ts";
import type { CatalogAddress } from "../../store/kept-catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { StoreConditions } from "../store-conditions.ts";
import type { AdmissionLimits, Reclaimer } from "./admission.ts";
import type { ScrubSettings } from "./scrub.ts";
import type { StreamQuotaLimits } from "./stream-quota.ts";

export interface StreamsBase {
  pool: Pool;
  layout: CacheLayout;
  conditions: StoreConditions;
  tracer: Tracer;
  /** Reaches the other nodes; undefined on a single machine. */
  bus: Bus | undefined;
}

export interface StreamsSettings extends AdmissionLimits, StreamQuotaLimits {
  incompleteTtlSeconds: number;
  /** Keep the files in lost+found/ forever. */
  keepOrphans: boolean;
  /** Null for a catalog in the cache folder. */
  catalog: CatalogAddress | null;
  scrub: ScrubSettings;
  /** The address of the archive; undefined for none. */
  archive: string | undefined;
}

export interface StreamRetention extends Reclaimer {
  /** A policy refuses a new stream of this id, since its bytes are used up. */
  isFull(streamId: string): boolean;
}
