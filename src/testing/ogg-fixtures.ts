/** Ogg files with packets of a test's choice. */
import { encodeOggPage } from "../codec/ogg.ts";
import { opusPacketSamples } from "../codec/opus.ts";

interface OggOptions {
  /** Segments on a page; a packet that does not fit goes on in the next. */
  segmentsPerPage?: number;
  /** Granule of the last page; what its packets hold without this. */
  endGranule?: bigint;
}

interface Segment {
  bytes: Uint8Array;
  /** Samples up to the end of the packet that ends here; undefined where none does. */
  granule: bigint | undefined;
  /** The head and the tags have pages of their own. */
  endsPage: boolean;
  startsPacket: boolean;
}

/** A file of these packets: the head, the tags, then audio. */
export function oggFile(packets: Uint8Array[], options: OggOptions = {}): Uint8Array<ArrayBuffer> {
  const { segmentsPerPage = 255, endGranule } = options;
  const pages: Segment[][] = [[]];
  for (const segment of segmentsOf(packets)) {
    const last = pages.at(-1)!;
    if (last.length === segmentsPerPage || last.at(-1)?.endsPage === true) pages.push([segment]);
    else last.push(segment);
  }
  const encoded = pages.map((segments, number) => {
    const isLast = number === pages.length - 1;
    const granule = segments.findLast((segment) => segment.granule !== undefined)?.granule ?? -1n;
    return encodeOggPage({
      isContinued: !segments[0]!.startsPacket,
      isFirst: number === 0,
      isLast,
      granule: isLast ? (endGranule ?? granule) : granule,
      serial: 4711,
      number,
      lengths: Uint8Array.from(segments, (segment) => segment.bytes.length),
      body: Buffer.concat(segments.map((segment) => segment.bytes)),
    });
  });
  return new Uint8Array(Buffer.concat(encoded));
}

function segmentsOf(packets: Uint8Array[]): Segment[] {
  let samples = 0;
  return packets.flatMap((packet, number) => {
    if (number > 1) samples += opusPacketSamples(packet) ?? 0;
    const count = Math.floor(packet.length / 255) + 1;
    return Array.from({ length: count }, (_, at) => ({
      bytes: packet.subarray(at * 255, (at + 1) * 255),
      granule: at === count - 1 ? BigInt(samples) : undefined,
      endsPage: number < 2 && at === count - 1,
      startsPacket: at === 0,
    }));
  });
}

export function opusHead(head: { channels?: number; preSkip?: number; gain?: number; family?: number } = {}) {
  const packet = new Uint8Array(19);
  const view = new DataView(packet.buffer);
  packet.set(new TextEncoder().encode("OpusHead"));
  view.setUint8(8, 1);
  view.setUint8(9, head.channels ?? 1);
  view.setUint16(10, head.preSkip ?? 0, true);
  view.setUint32(12, 48_000, true);
  view.setInt16(16, head.gain ?? 0, true);
  view.setUint8(18, head.family ?? 0);
  return packet;
}

export function opusTags(extraBytes = 8): Uint8Array {
  const packet = new Uint8Array(8 + extraBytes);
  packet.set(new TextEncoder().encode("OpusTags"));
  return packet;
}
