/** The catalog of devices: what the server remembers of them across restarts. */

export interface DeviceRow {
  deviceId: string;
  /** 0 to 5. */
  mode: number;
  /** The last status that the device reported, or null if there is none. */
  report: DeviceReport | null;
  /** Milliseconds since 1970: the first connection, and the last connection or report. */
  createdAt: number;
  seenAt: number;
}

export interface DeviceReport {
  /** The colours of led_0 to led_5 as 0xRRGGBBAA. */
  leds: number[];
  /** The state of button_1 to button_4. */
  pressed: boolean[];
  /** As the device reports it; null for NaN and infinity, which JSON cannot hold. */
  battery: number | null;
  /** Milliseconds since 1970. */
  at: number;
}

export interface DeviceCatalog {
  /** Inserts a device or replaces its row. */
  enter(device: DeviceRow): void;
  remove(deviceId: string): void;
  /** All devices, least recently seen first. */
  all(): DeviceRow[];
}
