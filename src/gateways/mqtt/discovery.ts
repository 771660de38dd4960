/**
 * What Home Assistant discovers: one message a device, with all of its entities (device discovery, since Home Assistant
 * 2024.11). https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
 */
import type { Message } from "./retained-states.ts";
import type { Topics } from "./topics.ts";

export interface DiscoverySettings {
  /** The prefix that Home Assistant listens to. */
  prefix: string;
  topics: Topics;
  /** Separates servers that share a broker: their prefixes differ. */
  server: string;
  version: string;
}

interface Entity {
  platform: string;
  name: string;
  [option: string]: unknown;
}

const modes = ["0", "1", "2", "3", "4", "5"];
const buttons = ["connect", "mode", "stop", "play"];
/** Devices do not show LED 0. */
const leds = [1, 2, 3, 4, 5];

export function deviceDiscovery(settings: DiscoverySettings, deviceId: string): Message {
  const { topics } = settings;
  const state_topic = topics.device(deviceId, "state");
  const ofState = { state_topic };
  const ledEntities = leds.map((led) => [`led_${led}`, ledEntity(led, state_topic)] as const);
  const buttonEntities = buttons.map(
    (name) => [`button_${name}`, buttonEntity(topics, deviceId, name)] as const,
  );
  const entities: Record<string, Entity> = {
    mode: {
      platform: "select",
      name: "Mode",
      options: modes,
      ...ofState,
      value_template: "{{ value_json.mode }}",
      command_topic: topics.device(deviceId, "mode/set"),
    },
    play: actionEntity(topics, deviceId, "play", "Play"),
    stop: actionEntity(topics, deviceId, "stop", "Stop"),
    playing: {
      platform: "binary_sensor",
      name: "Playing",
      device_class: "sound",
      ...ofState,
      value_template: "{{ 'OFF' if value_json.playing is none else 'ON' }}",
    },
    battery: {
      platform: "sensor",
      name: "Battery",
      device_class: "battery",
      state_class: "measurement",
      unit_of_measurement: "%",
      ...ofState,
      value_template: "{{ value_json.battery }}",
    },
    ...Object.fromEntries(ledEntities),
    ...Object.fromEntries(buttonEntities),
  };
  const availability = [topics.status, topics.device(deviceId, "availability")];
  return discovery(settings, "device", deviceId, entities, availability);
}

/** A device that records: with the id of a device above, both are one device in Home Assistant. */
export function recorderDiscovery(settings: DiscoverySettings, device: string): Message {
  const { topics } = settings;
  const entities: Record<string, Entity> = {
    recording: {
      platform: "binary_sensor",
      name: "Recording",
      device_class: "running",
      state_topic: topics.recorder(device, "recording"),
    },
    level: {
      platform: "sensor",
      name: "Level",
      state_class: "measurement",
      unit_of_measurement: "dBFS",
      state_topic: topics.recorder(device, "level"),
      value_template: "{{ value_json.rms }}",
      json_attributes_topic: topics.recorder(device, "level"),
      // Without audio there is no level.
      expire_after: levelExpirySeconds,
    },
  };
  return discovery(settings, "recorder", device, entities, [topics.status]);
}

export function discoveryTopic({ prefix, server }: DiscoverySettings, kind: string, id: string): string {
  return `${prefix}/device/${objectId(`wavecache_${server}_${kind}_${id}`)}/config`;
}

const levelExpirySeconds = 30;

function ledEntity(led: number, state_topic: string): Entity {
  return {
    platform: "binary_sensor",
    name: `LED ${led}`,
    device_class: "light",
    state_topic,
    value_template: `{{ 'OFF' if value_json.leds[${led}] == '#00000000' else 'ON' }}`,
    json_attributes_topic: state_topic,
    json_attributes_template: `{{ {'color': value_json.leds[${led}]} | tojson }}`,
  };
}

function buttonEntity(topics: Topics, deviceId: string, name: string): Entity {
  return {
    platform: "event",
    name: `Button ${name}`,
    device_class: "button",
    event_types: ["press", "hold", "release"],
    state_topic: topics.button(deviceId, name),
  };
}

function actionEntity(topics: Topics, deviceId: string, action: string, name: string): Entity {
  return {
    platform: "button",
    name,
    command_topic: topics.device(deviceId, "action"),
    payload_press: action,
  };
}

function discovery(
  settings: DiscoverySettings,
  kind: string,
  id: string,
  entities: Record<string, Entity>,
  availability: string[],
): Message {
  const { server, version } = settings;
  const unique = Object.entries(entities).map(([key, entity]) => {
    return [key, { ...entity, unique_id: objectId(`wavecache_${server}_${kind}_${id}_${key}`) }];
  });
  const config = {
    device: {
      identifiers: [`wavecache_${server}_${id}`],
      name: id,
      manufacturer: "Wavecache",
    },
    origin: { name: "wavecache", sw_version: version },
    availability: availability.map((topic) => ({ topic })),
    availability_mode: "all",
    components: Object.fromEntries(unique),
  };
  return { topic: discoveryTopic(settings, kind, id), payload: JSON.stringify(config) };
}

/** Home Assistant takes letters of ASCII, digits, `_` and `-`. A hash keeps apart what then looks alike. */
function objectId(text: string): string {
  const usable = text.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  return usable === text ? text : `${usable}_${Bun.hash.crc32(text).toString(16)}`;
}
