/** A device and its streams, seen from the doors. */
import type { WavecacheError } from "../../base/errors.ts";
import type { DeviceReport } from "../../store/devices/catalog.ts";
import type { ButtonEvent, DeviceStatusResponse, Leds } from "../../wire/devices.ts";

export interface EventSink {
  end(error?: WavecacheError): void;
}

/** What is known of a device. Times are milliseconds since 1970. */
export interface DeviceView {
  deviceId: string;
  /** Since when, or undefined while it is away. */
  connectedAt: number | undefined;
  createdAt: number;
  seenAt: number;
  mode: number;
  /** The mode whose sound plays; undefined while idle. */
  playing: number | undefined;
  /** What the LEDs are to show: off while it is away. */
  leds: Leds;
  report: DeviceReport | undefined;
}

/** One stream of a device, seen from the door. */
export interface DeviceStream {
  /** The stream is over, whoever ended it. */
  closed(): void;
}

export interface StatusStream extends DeviceStream {
  /** Throws MESSAGES_EXHAUSTED. */
  answered(response: DeviceStatusResponse): void;
}

export interface EventStream extends DeviceStream {
  /** Throws MESSAGES_EXHAUSTED. */
  pressed(event: ButtonEvent | undefined): void;
}

export interface AudioStream extends DeviceStream {
  drained(): void;
}
