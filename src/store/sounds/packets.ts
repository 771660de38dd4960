export interface JoinedPackets {
  /** Packets back to back; `lengths` has the size of each. */
  bytes: Uint8Array<ArrayBuffer>;
  lengths: Uint16Array<ArrayBuffer>;
}

/** Joins packets to two buffers, which cross to another thread without a copy. */
export function joinPackets(packets: readonly Uint8Array[]): JoinedPackets {
  const lengths = Uint16Array.from(packets, (packet) => packet.length);
  const bytes = new Uint8Array(packets.reduce((sum, packet) => sum + packet.length, 0));
  let at = 0;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  return { bytes, lengths };
}

/** Views of the packets. */
export function splitPackets({ bytes, lengths }: JoinedPackets): Uint8Array[] {
  let at = 0;
  return Array.from(lengths, (length) => bytes.subarray(at, (at += length)));
}
