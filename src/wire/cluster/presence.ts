/**
 * The devices of each node, for nodes that show them, as JSON.
 *
 *     presence.nodes      { node, list, sent, isNew, isLeaving }     a keepalive; whoever hears of a new node sends one, too
 *     presence.wanted     { node, isWhole }                          interest in devices, repeated before its lease ends
 *     presence.devices    { node, list, sent, devices, gone, ... }   a part of a list: all devices, then those that change
 *
 * A list begins with its part 1 and gets a new number when it begins anew. Whoever misses a part, or hears that more were sent
 * than it has got, asks for a whole list.
 */
import * as v from "valibot";
import { deviceSchema } from "./devices.ts";
import { decode, encode } from "./json.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const node = v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/));

const keepalive = v.object({
  node,
  /** The list of devices, and its parts so far; 0 if nobody wants one. */
  list: count,
  sent: count,
  isNew: v.boolean(),
  isLeaving: v.boolean(),
});
const wanted = v.object({ node, isWhole: v.boolean() });
const part = v.object({
  node,
  list: count,
  sent: count,
  devices: v.array(deviceSchema),
  /** Ids of those that the node has forgotten. */
  gone: v.array(v.string()),
  /** The hardware ids that it records; null if they are the same as before. */
  recorded: v.nullable(v.array(v.string())),
  /** All devices were sent. */
  isWhole: v.boolean(),
});

export type PresenceKeepalive = v.InferOutput<typeof keepalive>;
export type PresenceWanted = v.InferOutput<typeof wanted>;
export type PresencePart = v.InferOutput<typeof part>;

export const encodeKeepalive = (message: PresenceKeepalive): Uint8Array => encode(message);
export const encodeWanted = (message: PresenceWanted): Uint8Array => encode(message);
export const encodePart = (message: PresencePart): Uint8Array => encode(message);

/** The three are undefined for what is no such message. */
export function decodeKeepalive(message: Uint8Array): PresenceKeepalive | undefined {
  return decode(keepalive, message);
}

export function decodeWanted(message: Uint8Array): PresenceWanted | undefined {
  return decode(wanted, message);
}

export function decodePart(message: Uint8Array): PresencePart | undefined {
  return decode(part, message);
}
