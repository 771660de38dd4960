/**
 * Commands to devices that are connected to another node, as JSON.
 *
 *     devices.<id>    request: { op, ... }                  what the device is to do
 *                     answer:  { device, node } | { error } the device after it and its node, or a code of the error table
 */
import * as v from "valibot";
import { decode, encode } from "./json.ts";

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const leds = v.pipe(v.array(whole), v.length(6));

const command = v.variant("op", [
  v.object({ op: v.literal("find") }),
  v.object({ op: v.literal("refresh") }),
  v.object({ op: v.literal("play") }),
  v.object({ op: v.literal("act"), action: v.picklist(["stop", "mode"]) }),
  v.object({ op: v.literal("setMode"), mode: v.pipe(whole, v.maxValue(5)) }),
  v.object({
    op: v.literal("useButton"),
    button: v.picklist(["connect", "mode", "stop", "play"]),
    event: v.picklist(["press", "hold", "release"]),
  }),
]);
/** As the engine's snapshot of a device; what is undefined there is null. */
export const deviceSchema = v.object({
  deviceId: v.string(),
  connectedAt: v.nullable(whole),
  createdAt: whole,
  seenAt: whole,
  mode: whole,
  playing: v.nullable(whole),
  leds,
  report: v.nullable(
    v.object({
      leds: v.array(whole),
      pressed: v.array(v.boolean()),
      battery: v.nullable(v.number()),
      at: whole,
    }),
  ),
  held: v.array(v.boolean()),
});
const answer = v.union([
  v.object({ error: v.string() }),
  // Nodes of the version before do not say who they are.
  v.object({ device: deviceSchema, node: v.optional(v.nullable(v.string()), null) }),
]);

export type DeviceCommand = v.InferOutput<typeof command>;
export type RemoteDevice = v.InferOutput<typeof deviceSchema>;
export type DeviceAnswer = v.InferOutput<typeof answer>;

export const encodeDeviceCommand = (message: DeviceCommand): Uint8Array => encode(message);
export const encodeDeviceAnswer = (message: DeviceAnswer): Uint8Array => encode(message);

/** Both are undefined for what is no such message. */
export function decodeDeviceCommand(message: Uint8Array): DeviceCommand | undefined {
  return decode(command, message);
}

export function decodeDeviceAnswer(message: Uint8Array): DeviceAnswer | undefined {
  return decode(answer, message);
}
