/** What each part of the server gets of the configuration. */
import type { JwtSettings } from "../access/jwt.ts";
import type { TracingSettings } from "../base/tracing/otlp-tracer.ts";
import type { EngineSettings } from "../engine/engine.ts";
import type { NatsSettings } from "../bus/nats-bus.ts";
import type { MqttSettings } from "../gateways/mqtt/gateway.ts";
import type { CertificateSettings } from "../listen/tls/certificates.ts";
import { catalogAddress } from "./catalog.ts";
import { CacheLayout } from "../store/layout.ts";
import { archiveAddress } from "./bucket.ts";
import { cacheBytes, retentionPolicies } from "./retention.ts";
import type { Config } from "./schema.ts";

const dayMs = 24 * 3600 * 1000;
/** How long the LEDs of a device flash when it connects. */
const flashMs = 200;

/** `maxUploads`: as many as may have their files open at once. */
export function engineSettings(config: Config, maxUploads: number): EngineSettings {
  const { maxStreamBytes, maxStreams, maxUnfinishedStreams } = config;
  const policies = retentionPolicies(config);
  const maxCacheBytes = cacheBytes(config.maxCacheBytes, policies);
  const { incompleteTtl, keepOrphans, scrubDays, leadMs, flash, sounds } = config;
  const usualThreshold = { dbfs: config.silenceDbfs, silenceMs: config.silenceSeconds * 1000 };
  return {
    streams: {
      maxStreamBytes,
      maxCacheBytes,
      maxStreams,
      maxUnfinishedStreams,
      maxUploads,
      incompleteTtlSeconds: incompleteTtl,
      keepOrphans,
      archive: archiveAddress(config),
      catalog: catalogAddress(config.catalog, config.catalogPasswordFile),
      scrub: { intervalMs: scrubDays === "off" ? undefined : scrubDays * dayMs },
    },
    recordings: {
      folder: config.recordingsDir,
      rotateMs: config.rotateSeconds * 1000,
      syncMs: config.syncSeconds * 1000,
      nibbles: config.adpcmNibbles === "auto" ? undefined : config.adpcmNibbles,
      fillGaps: config.fillGaps,
      compact: { isOn: config.compact === "hourly", keepPackets: config.keepPackets },
      thresholdOf: (hwid) => config.silenceFor.get(hwid ?? "") ?? usualThreshold,
    },
    songs: { maxSongBytes: config.maxSongBytes },
    devices: { leadMs, flashMs: flash ? flashMs : 0 },
    events: { maxEvents: config.maxEvents },
    hooks: {
      hooks: config.hook,
      secretFile: config.hookSecretFile ?? new CacheLayout(config.cacheDir).hookSecret,
      allowed: config.hookAllow,
    },
    command: config.onEvent && { command: config.onEvent, filter: config.onEventTypes },
    sounds,
    retention: { policies },
    archive: {
      localBytes: localBytes(config, maxCacheBytes),
      totalBytes: config.archiveLocalBytes,
      minFreeBytes: config.minFree,
      acknowledge: config.acknowledge,
    },
  };
}

/** A tenth of the cache is room for uploads, until what they bring is archived. */
function localBytes({ archiveLocalBytes }: Config, maxCacheBytes: number): number {
  return (
    Math.min(archiveLocalBytes ?? maxCacheBytes, maxCacheBytes) * (archiveLocalBytes === undefined ? 0.9 : 1)
  );
}

export function jwtSettings(config: Config): JwtSettings {
  const { jwtSecretFile: secretFile, jwtJwks: jwks, jwtIssuer: issuer, jwtAudience: audience } = config;
  return { secretFile, jwks, issuer, audience };
}

/** Undefined without a broker. */
export function mqttSettings(config: Config): Omit<MqttSettings, "version"> | undefined {
  const { mqttUrl: url, mqttPrefix: prefix, mqttCredentialsFile: credentialsFile, mqttDiscovery } = config;
  if (url === undefined) return undefined;
  const discoveryPrefix = mqttDiscovery === "off" ? undefined : mqttDiscovery;
  return { url, prefix, credentialsFile, discoveryPrefix };
}

/** Undefined for a single machine. */
export function natsSettings(config: Config): NatsSettings | undefined {
  const { natsUrls: servers, natsCredentialsFile: credentialsFile, natsPrefix: prefix } = config;
  return servers === undefined ? undefined : { servers, credentialsFile, prefix };
}

/** Undefined if no port speaks TLS. */
export function certificateSettings(
  config: Config,
): Omit<CertificateSettings, "readiness" | "log"> | undefined {
  const { tlsPort, tls, grpcPort, grpcTls, tlsCert: cert, tlsKey: key } = config;
  const isNeeded = tls || tlsPort !== "off" || (grpcTls && grpcPort !== "off");
  if (!isNeeded) return undefined;
  const files = cert === undefined || key === undefined ? undefined : { cert, key };
  return { files, folder: new CacheLayout(config.cacheDir).tls };
}

/** Undefined without a collector. */
export function tracingSettings(config: Config): Omit<TracingSettings, "version"> | undefined {
  const { otlpUrl: url, traceRatio } = config;
  return url === undefined ? undefined : { url, ratio: traceRatio };
}
