/**
 * The messages of devices, with the field names of `devices.proto` and enums as numbers. Server and client both load
 * that file, with the options below.
 */

export const deviceServiceName = "com.opalcamera.test.DeviceService";

/** Metadata of each stream. */
export const deviceIdKey = "device_id";

/** How messages become objects: every field is present, and an absent submessage is null. */
export const deviceProtoOptions = { keepCase: true, enums: Number, defaults: true, oneofs: true };

/** 0xRRGGBBAA of led_0 to led_5. */
export type Leds = readonly [number, number, number, number, number, number];

export interface RgbaColor {
  rgba: number;
}

/** A color that is absent counts as 0. */
export interface LedFields {
  led_0: RgbaColor | null;
  led_1: RgbaColor | null;
  led_2: RgbaColor | null;
  led_3: RgbaColor | null;
  led_4: RgbaColor | null;
  led_5: RgbaColor | null;
}

export const buttonPressed = 0;
export const buttonReleased = 1;

export interface DeviceStatus extends LedFields {
  button_1: number;
  button_2: number;
  button_3: number;
  button_4: number;
  battery_level: number;
}

/** Either `get`, which is true, or `set` with all LEDs. */
export interface DeviceStatusRequest {
  get?: boolean;
  set?: LedFields;
}

export interface DeviceStatusResponse {
  /** The one that is present. */
  response?: "state" | "status";
  state?: DeviceStatus;
  status?: string;
}

/** The `status` of a device that has carried out a `set`. */
export const statusSuccess = "success";

export const buttons = { connect: 0, mode: 1, stop: 2, play: 3 } as const;
export const buttonEvents = { press: 0, hold: 1, release: 2 } as const;

/** Numbers without a name in the protocol arrive unchanged. */
export interface ButtonEvent {
  button_id: number;
  event: number;
}

export interface DeviceEvent {
  button_event?: ButtonEvent | null;
}

export interface DeviceEventResponse {
  ack: boolean;
}

export interface AudioStreamRequest {
  start: boolean;
}

/** A sound is a sequence of packets: the first has `is_start`; the last has `is_end` and no data. */
export interface AudioPacket {
  is_start: boolean;
  is_end: boolean;
  /** One Opus packet: 48 kHz mono, 20 ms. */
  data: Uint8Array;
}

export const audioPacketMs = 20;

/** All six fields, including those of LEDs that are off. */
export function toLedFields(leds: Leds): LedFields {
  const [led_0, led_1, led_2, led_3, led_4, led_5] = leds;
  return {
    led_0: { rgba: led_0 },
    led_1: { rgba: led_1 },
    led_2: { rgba: led_2 },
    led_3: { rgba: led_3 },
    led_4: { rgba: led_4 },
    led_5: { rgba: led_5 },
  };
}

export function toLeds({ led_0, led_1, led_2, led_3, led_4, led_5 }: LedFields): Leds {
  return [rgbaOf(led_0), rgbaOf(led_1), rgbaOf(led_2), rgbaOf(led_3), rgbaOf(led_4), rgbaOf(led_5)];
}

function rgbaOf(color: RgbaColor | null): number {
  return color?.rgba ?? 0;
}
