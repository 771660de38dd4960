/** The client's platform on Bun. */
import { LenientSocket } from "./lenient-socket.ts";
import type { Digest, DigestName, Fetch, Platform } from "./platform.ts";
import { type Trust, tlsOptions } from "./trust.ts";
import type { StreamPlatform } from "../v1/platform.ts";

/** Verifies certificates against the system's well-known authorities. */
export const bunPlatform = bunPlatformOf({});

export function bunPlatformOf(trust: Trust): Platform & StreamPlatform {
  const tls = tlsOptions(trust);
  return {
    openSocket: (url, protocols) =>
      new WebSocket(url, { protocols: [...protocols], perMessageDeflate: false, tls }),
    openLenientSocket: (url) => new LenientSocket(url, tls),
    newDigest,
    crc32: (bytes) => Bun.hash.crc32(bytes),
  };
}

export function bunFetchOf(trust: Trust): Fetch {
  const tls = tlsOptions(trust);
  return (url, init) => fetch(url, { ...init, tls });
}

function newDigest(name: DigestName): Digest {
  const hasher = new Bun.CryptoHasher(name);
  return {
    update: (bytes) => void hasher.update(bytes),
    hex: () => hasher.copy().digest("hex"),
  };
}
