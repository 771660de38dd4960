/** Limits of the connection to an MQTT broker. */
import { maxConnectedDevices } from "./devices.ts";
import { mustHold } from "./relation.ts";
import { KiB } from "./units.ts";

/** A connection that is lost is tried again at this interval. */
export const mqttReconnectMs = 1_000;
/** A broker that has not accepted a connection by then has failed. */
export const mqttConnectTimeoutMs = 10_000;
/** Without traffic for this long, a ping asks whether the broker is still there. */
export const mqttKeepaliveSeconds = 30;
/** At the end, how long the broker has to take the farewell. */
export const mqttGoodbyeMs = 1_000;
/** The broker keeps longer messages to itself (MQTT 5, Maximum Packet Size). */
export const maxMqttPacketBytes = 64 * KiB;
/** An event that the broker refuses is sent again after 1 s, 2 s, 4 s and so on, and given up after an hour. */
export const mqttRetry = { firstMs: 1_000, maxMs: 60_000, giveUpMs: 3_600_000 };
/** Interval at which recordings in progress are looked at. */
export const mqttRecorderMs = 1_000;
/** Interval of the levels of a recording. */
export const mqttLevelMs = 2_000;
/** Devices that record, or have recorded; above this, one that no longer records is forgotten. */
export const maxMqttRecorders = 4_096;
/** A press of a button that is older is sent as an event only: automations would act on it too late. */
export const mqttButtonMaxAgeMs = 10_000;
/** Characters of the prefix of topics. */
export const maxMqttPrefixChars = 128;

mustHold("all connected devices may record", maxMqttRecorders >= maxConnectedDevices);
mustHold(
  "a broker that is slow to connect is given up before the next try",
  mqttConnectTimeoutMs > mqttReconnectMs,
);
