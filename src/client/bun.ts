/** The client's platform under Bun. */
import type { Digest, DigestName, Fetch, Platform } from "./platform.ts";
import { type Trust, tlsOptions } from "./trust.ts";

/** Trusts the well-known authorities. */
export const bunPlatform = bunPlatformOf({});

export function bunPlatformOf(trust: Trust): Platform {
  const tls = tlsOptions(trust);
  return { openSocket: (url) => new WebSocket(url, { perMessageDeflate: false, tls }), newDigest };
}

export function bunFetchOf(trust: Trust): Fetch {
  const tls = tlsOptions(trust);
  return (url, init) => fetch(url, { ...init, tls });
}

function newDigest(name: DigestName): Digest {
  const hasher = new Bun.CryptoHasher(name);
  return {
    update: (bytes) => void hasher.update(bytes),
    hex: () => hasher.digest("hex"),
  };
}
