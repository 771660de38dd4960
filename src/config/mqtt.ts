/** The values of the options of MQTT. */
import * as v from "valibot";
import { maxMqttPrefixChars } from "../base/limits/mqtt.ts";

const urlExpected =
  "mqtt:// or mqtts:// with a host, and a port if it is not the usual one; user and password go into a file";

/** Undefined for an empty text. A password in an option could be seen by everybody on the machine. */
export const mqttUrl = v.pipe(
  v.string(),
  v.check((given) => given === "" || isMqttUrl(given), urlExpected),
  v.transform((given) => (given === "" ? undefined : given)),
);

function isMqttUrl(given: string): boolean {
  if (!/^mqtts?:\/\/[^/]/.test(given) || !URL.canParse(given)) return false;
  const { username, password, pathname, search, hash } = new URL(given);
  return `${username}${password}${search}${hash}` === "" && (pathname === "" || pathname === "/");
}

/** Levels of a topic, without wildcards. */
export const mqttPrefix = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/, "a topic such as home/wavecache"),
  v.maxLength(maxMqttPrefixChars, `up to ${maxMqttPrefixChars} characters`),
);
