/** Limits of devices. */
import { mustHold } from "./relation.ts";
import { KiB } from "./units.ts";

/** Length of a device id; a longer one is refused with BAD_DEVICE_ID. */
export const maxDeviceIdChars = 128;
/** Devices connected at once; one more is refused with DEVICES_EXHAUSTED. */
export const maxConnectedDevices = 4096;
/** Devices whose state is kept; above this the device that has been offline for longest is forgotten. */
export const maxRememberedDevices = 16_384;
/** Open streams of devices, including those that are closing; one more is refused with DEVICES_EXHAUSTED. */
export const maxDeviceStreams = 4 * maxConnectedDevices;
/** A message of a device; gRPC refuses a longer one. No message of the protocol needs 100 bytes. */
export const maxDeviceMessageBytes = 4 * KiB;
/** Token bucket for the messages of one device: its size and its refill. An empty bucket ends the stream. */
export const deviceMessageBurst = 200;
export const deviceMessagesPerSecond = 50;
/** After this long without an answer the server sends the device its next request anyway. */
export const deviceAnswerMs = 2_000;
/** A sound is given up if the device has not opened its audio stream after this long. */
export const deviceAudioWaitMs = 10_000;
/** A request to play a sound is answered after this long, even if the sound has no packet yet and may still fail. */
export const playAnswerMs = 5_000;
/** Delay of the first request for a device's state, then the interval of the following ones. */
export const deviceFirstGetMs = 2_000;
export const deviceGetMs = 30_000;
/** A changed device state is written to the catalog after this long, together with all changes until then. */
export const deviceSaveMs = 200;
/** Interval of gRPC keepalive pings; without an answer for the timeout the connection is closed. */
export const deviceKeepaliveMs = 10_000;
export const deviceKeepaliveTimeoutMs = 10_000;
/** A connection without a stream is closed after this long. */
export const deviceIdleMs = 60_000;
/** Devices in one page of a listing; a request for more is refused. */
export const maxListedDevices = 1000;
/** A button that is held over the API is released after this long, unless the client repeats the hold. */
export const remoteHoldMs = 5_000;
/** Clients that follow the state of devices; one more is refused with LISTENERS_EXHAUSTED. */
export const maxDeviceFollowers = 64;
/** What changes within this time is sent to followers together. */
export const deviceFeedMs = 50;
/** Devices in one event to a follower; further ones come with the next event. */
export const maxFeedDevices = 500;

mustHold("connected devices do not evict each other", maxRememberedDevices >= 2 * maxConnectedDevices);
mustHold("every connected device may open its two streams", maxDeviceStreams >= 2 * maxConnectedDevices);
mustHold("a request times out before the next one is due", deviceAnswerMs < deviceGetMs);
