/** The client's platform on Bun. */
import { authorization } from "./credential.ts";
import { LenientSocket } from "./lenient-socket.ts";
import type { Digest, DigestName, Fetch, Platform } from "./platform.ts";
import { type Trust, tlsOptions } from "./trust.ts";
import type { StreamPlatform } from "../v1/platform.ts";

/** Verifies certificates against the system's well-known authorities. */
export const bunPlatform = bunPlatformOf({});

export function bunPlatformOf(trust: Trust, token?: string): Platform & StreamPlatform {
  const tls = tlsOptions(trust);
  const headers = authorization(token);
  return {
    openSocket: (url, protocols) =>
      new WebSocket(url, { protocols: [...protocols], headers, perMessageDeflate: false, tls }),
    openLenientSocket: (url) => new LenientSocket(url, tls, headers),
    newDigest,
    crc32: (bytes) => Bun.hash.crc32(bytes),
  };
}

export function bunFetchOf(trust: Trust, token?: string): Fetch {
  const tls = tlsOptions(trust);
  const own = authorization(token);
  return (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...own }, tls });
}

function newDigest(name: DigestName): Digest {
  const hasher = new Bun.CryptoHasher(name);
  return {
    update: (bytes) => void hasher.update(bytes),
    hex: () => hasher.copy().digest("hex"),
  };
}
