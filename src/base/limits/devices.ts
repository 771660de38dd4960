/** Limits of devices. */
import { KiB } from "./units.ts";

/** Device ids: 1 to this many characters. */
export const maxDeviceIdChars = 128;
/** Devices connected at once. */
export const maxConnectedDevices = 4096;
/** Devices whose state is kept; past it the one that has been away for longest is forgotten. */
export const maxRememberedDevices = 16_384;
/** Streams of devices open at once, those on their way out too. */
export const maxDeviceStreams = 4 * maxConnectedDevices;
/** A message of a device: the longest that means something has less than 100 bytes. */
export const maxDeviceMessageBytes = 4 * KiB;
/** Events of one device, and answers of it: so many at once, and so many a second after that. */
export const deviceMessageBurst = 200;
export const deviceMessagesPerSecond = 50;
/** How long a device may take to answer a request before the next one goes out all the same. */
export const deviceAnswerMs = 2_000;
/** How long a sound waits for the device to open its audio stream. */
export const deviceAudioWaitMs = 10_000;
/** When a device is first asked what it shows, and how often after that. */
export const deviceFirstGetMs = 2_000;
export const deviceGetMs = 30_000;
/** How soon a change of a device's state is in the catalog. */
export const deviceSaveMs = 200;
/** How often the connection of a silent device is tried, and how long it may take to answer. */
export const deviceKeepaliveMs = 10_000;
export const deviceKeepaliveTimeoutMs = 10_000;
/** A connection without a stream is closed after this long. */
export const deviceIdleMs = 60_000;
/** Devices in one page of a listing. */
export const maxListedDevices = 1000;

if (maxRememberedDevices < 2 * maxConnectedDevices)
  throw new RangeError("devices must not displace each other");
