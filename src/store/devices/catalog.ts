/** The devices that the server remembers, in the catalog. */

export interface DeviceRow {
  deviceId: string;
  /** 0 to 5. */
  mode: number;
  /** What the device last said of itself, or null if it never did. */
  report: DeviceReport | null;
  /** Milliseconds since 1970: first connected, and last connected or heard of. */
  createdAt: number;
  seenAt: number;
}

export interface DeviceReport {
  /** 0xRRGGBBAA of led_0 to led_5. */
  leds: number[];
  /** Whether button_1 to button_4 were pressed. */
  pressed: boolean[];
  /** As the device says it; null if that was no number. */
  battery: number | null;
  /** Milliseconds since 1970. */
  at: number;
}

export interface DeviceCatalog {
  /** Enters devices, in the place of what was there of them. */
  enter(device: DeviceRow): void;
  remove(deviceId: string): void;
  /** All, the one that was seen longest ago first. */
  all(): DeviceRow[];
}
