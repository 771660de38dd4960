/** The operations on devices. Each button has an operation that returns the device after it. */
import * as v from "valibot";
import { resourceOf } from "../../../access/actions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { maxListedDevices } from "../../../base/limits/devices.ts";
import { json, type Operation, operation } from "../operation.ts";
import { after, choice, limit, whole } from "../parameters.ts";
import { describeDevice, type DeviceDescription, deviceSchema, recordedIds } from "./description.ts";
import { followDevicesOperation } from "./follow.ts";
import type { WatchedDevices } from "./feed.ts";

/** The devices of all nodes, and what these record. */
export interface Devices extends WatchedDevices {
  list(query: {
    connected: boolean | undefined;
    after: string;
    limit: number;
    isVisible: (deviceId: string) => boolean;
  }): DeviceDescription[];
}

/** Commands to devices, also of other nodes. All reject with DEVICE_UNKNOWN and NODE_UNREACHABLE. */
export interface DeviceCommands {
  find(deviceId: string): Promise<DeviceDescription>;
  /** Asks the device for its state if it is connected. */
  refresh(deviceId: string): Promise<DeviceDescription>;
  act(deviceId: string, action: "stop" | "mode"): Promise<DeviceDescription>;
  /** Also rejects with DEVICE_AWAY, or why the sound cannot be played. */
  play(deviceId: string): Promise<DeviceDescription>;
  setMode(deviceId: string, mode: number): Promise<DeviceDescription>;
  /** As if the device had sent this event of a button. Also rejects with what `play` rejects with. */
  useButton(
    deviceId: string,
    button: (typeof buttonNames)[number],
    event: (typeof buttonEvents)[number],
  ): Promise<DeviceDescription>;
}

const pageSchema = v.strictObject({
  devices: v.array(deviceSchema),
  next: v.nullable(v.string()),
  /** Devices of other nodes may be missing: NATS is not connected, or a node does not answer. */
  incomplete: v.boolean(),
});

const buttonNames = ["connect", "mode", "stop", "play"] as const;
const buttonEvents = ["press", "hold", "release"] as const;

const tag = "devices";
const segments = { id: "The id of the device." };
const maxMode = 5;
const afterAction = { 200: { description: "The device after the action.", schema: deviceSchema } };

/** The description of a device at the moment. */
type Describe = (device: DeviceDescription) => v.InferOutput<typeof deviceSchema>;

const deviceErrors = ["DEVICE_UNKNOWN", "NODE_UNREACHABLE"] as const;
const playErrors = [
  ...deviceErrors,
  "DEVICE_AWAY" as const,
  ...(["SOUND_UNKNOWN", "SOUND_UNREADABLE", "SOUND_TOO_LONG", "SOUNDS_EXHAUSTED"] as const),
];

export function deviceOperations(devices: Devices, commands: DeviceCommands): Operation[] {
  const describe: Describe = (device) => describeDevice(device, recordedIds(devices));
  return [
    listOperation(devices),
    findOperation(commands, describe),
    playOperation(commands, describe),
    stopOperation(commands, describe),
    modeOperation(commands, describe),
    buttonOperation(commands, describe),
    followDevicesOperation(devices),
  ];
}

function listOperation(devices: Devices): Operation {
  return operation({
    method: "get",
    route: "/api/devices",
    tag,
    access: { action: "list", within: "devices" },
    summary: "Lists the devices of all nodes in the order of their ids.",
    parameters: {
      connected: choice(["true", "false"], "Only devices that are connected, or are not."),
      after: after("an id"),
      limit: limit(maxListedDevices),
    },
    answers: { 200: { description: "A page of devices.", schema: pageSchema } },
    errors: [],
    async handle({ query, principal, meter }) {
      await devices.complete();
      const isVisible = (id: string) => principal.may("list", resourceOf("devices", id));
      const connected = query.connected === undefined ? undefined : query.connected === "true";
      const page = devices.list({ connected, after: query.after, limit: query.limit, isVisible });
      const next = page.length === query.limit ? page.at(-1)!.deviceId : null;
      const recorded = recordedIds(devices);
      const described = page.map((device) => describeDevice(device, recorded));
      return json({ devices: described, next, incomplete: !devices.isComplete }, meter);
    },
  });
}

function findOperation(commands: DeviceCommands, describe: Describe): Operation {
  return operation({
    method: "get",
    route: "/api/devices/:id",
    tag,
    access: { action: "read", on: "devices/:id", unknown: "DEVICE_UNKNOWN" },
    summary: "Describes a device.",
    segments,
    parameters: { refresh: choice(["0", "1"], "1 asks the device for its state first.") },
    answers: { 200: { description: "The device.", schema: deviceSchema } },
    errors: deviceErrors,
    async handle({ path, query, meter }) {
      const id = path["id"]!;
      const device = query.refresh === "1" ? await commands.refresh(id) : await commands.find(id);
      return json(describe(device), meter);
    },
  });
}

function playOperation(commands: DeviceCommands, describe: Describe): Operation {
  return operation({
    method: "post",
    route: "/api/devices/:id/play",
    tag,
    access: { action: "control", on: "devices/:id", unknown: "DEVICE_UNKNOWN" },
    summary: "Plays the sound of the mode.",
    segments,
    parameters: {},
    answers: afterAction,
    errors: playErrors,
    handle: async ({ path, meter }) => json(describe(await commands.play(path["id"]!)), meter),
  });
}

function stopOperation(commands: DeviceCommands, describe: Describe): Operation {
  return operation({
    method: "post",
    route: "/api/devices/:id/stop",
    tag,
    access: { action: "control", on: "devices/:id", unknown: "DEVICE_UNKNOWN" },
    summary: "Ends the sound and returns to mode 0.",
    segments,
    parameters: {},
    answers: afterAction,
    errors: deviceErrors,
    handle: async ({ path, meter }) => json(describe(await commands.act(path["id"]!, "stop")), meter),
  });
}

function modeOperation(commands: DeviceCommands, describe: Describe): Operation {
  return operation({
    method: "post",
    route: "/api/devices/:id/mode",
    tag,
    access: { action: "control", on: "devices/:id", unknown: "DEVICE_UNKNOWN" },
    summary: "Goes to the next mode, or to a given one.",
    segments,
    parameters: { mode: whole(0, maxMode, "The mode to set.") },
    answers: afterAction,
    errors: deviceErrors,
    async handle({ path, query, meter }) {
      const id = path["id"]!;
      const { mode } = query;
      const device = mode === undefined ? commands.act(id, "mode") : commands.setMode(id, mode);
      return json(describe(await device), meter);
    },
  });
}

function buttonOperation(commands: DeviceCommands, describe: Describe): Operation {
  return operation({
    method: "post",
    route: "/api/devices/:id/buttons/:button",
    tag,
    access: { action: "control", on: "devices/:id", unknown: "DEVICE_UNKNOWN" },
    summary: "Presses, holds or releases a button. A hold ends by itself unless it is repeated.",
    segments: { ...segments, button: `The button: ${buttonNames.join(", ")}.` },
    parameters: { event: choice(buttonEvents, "What happens to the button; `press` by default.") },
    answers: afterAction,
    errors: ["BUTTON_UNKNOWN", ...playErrors],
    async handle({ path, query, meter }) {
      const button = buttonNames.find((name) => name === path["button"]);
      if (button === undefined) throw new WavecacheError("BUTTON_UNKNOWN");
      return json(describe(await commands.useButton(path["id"]!, button, query.event ?? "press")), meter);
    },
  });
}
