/** A device and its streams, as gateways see them. */
import type { WavecacheError } from "../../base/errors.ts";
import type { DeviceReport } from "../../store/devices/catalog.ts";
import type { Leds } from "../../wire/devices.ts";

/** The state of a device at one moment. Times are milliseconds since 1970. */
export interface DeviceSnapshot {
  deviceId: string;
  /** When the device connected; undefined while it is away. */
  connectedAt: number | undefined;
  createdAt: number;
  seenAt: number;
  mode: number;
  /** The mode whose sound plays; undefined while idle. */
  playing: number | undefined;
  /** What the LEDs should show: all off while the device is away. */
  leds: Leds;
  report: DeviceReport | undefined;
  /** Which of the four buttons clients of the API hold. */
  held: readonly boolean[];
}

/** What a device reports about itself. */
export type DeviceStatus = Omit<DeviceReport, "at">;

/** A device's answer to a request of its `StatusSink`. */
export type StatusAnswer =
  | { kind: "status"; status: DeviceStatus }
  /** `failure` is what the device said instead of success. */
  | { kind: "leds"; failure: string | undefined };

/** Numbers of the protocol, which may be unknown to this server. */
export interface ButtonEvent {
  buttonId: number;
  event: number;
}

/** A sound is a run of packets: the first has `isStart`, the last has `isEnd` and no data. */
export interface SoundPacket {
  isStart: boolean;
  isEnd: boolean;
  /** One Opus packet: 48 kHz mono, 20 ms. */
  data: Uint8Array;
}

/** The sending side of a stream. `end` closes the stream, with an error if there is one. */
export interface EventSink {
  end(error?: WavecacheError): void;
}

/** Each request is answered by a `StatusAnswer`. */
export interface StatusSink {
  setLeds(leds: Leds): void;
  askStatus(): void;
  end(error?: WavecacheError): void;
}

export interface AudioSink {
  /** False asks to wait for `resume`; the packet is accepted either way. */
  send(packet: SoundPacket): boolean;
  end(error?: WavecacheError): void;
}

/** The receiving side of a stream. */
export interface DeviceStream {
  /** The stream is over, whichever side ended it. */
  close(): void;
}

export interface StatusStream extends DeviceStream {
  /** Undefined for an answer that this server does not know. Throws MESSAGES_EXHAUSTED. */
  receive(answer: StatusAnswer | undefined): void;
}

export interface EventStream extends DeviceStream {
  /** Undefined for an event without a button. Throws MESSAGES_EXHAUSTED. */
  receive(event: ButtonEvent | undefined): void;
}

export interface AudioStream extends DeviceStream {
  /** The device takes packets again. */
  resume(): void;
}
