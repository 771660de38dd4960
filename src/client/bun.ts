/** The client's platform under Bun. */
import type { Digest, DigestName, Platform, Socket } from "./platform.ts";

export const bunPlatform: Platform = { openSocket, newDigest };

function openSocket(url: string): Socket {
  return new WebSocket(url, { perMessageDeflate: false });
}

function newDigest(name: DigestName): Digest {
  const hasher = new Bun.CryptoHasher(name);
  return {
    update: (bytes) => void hasher.update(bytes),
    hex: () => hasher.digest("hex"),
  };
}
