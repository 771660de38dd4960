/** Translates between the messages of `devices.proto` and the engine's view of a device. */
import type {
  AudioSink,
  ButtonEvent,
  DeviceStatus,
  StatusAnswer,
  StatusSink,
} from "../../engine/devices/device-streams.ts";
import {
  type AudioPacket,
  buttonPressed,
  type DeviceEvent,
  type DeviceStatus as DeviceStatusMessage,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
  statusSuccess,
  toLedFields,
  toLeds,
} from "../../wire/devices.ts";
import type { CallSender } from "./call-sender.ts";

export function statusSink(sender: CallSender<DeviceStatusRequest>): StatusSink {
  return {
    setLeds: (leds) => void sender.send({ set: toLedFields(leds) }),
    askStatus: () => void sender.send({ get: true }),
    end: (error) => sender.end(error),
  };
}

export function audioSink(sender: CallSender<AudioPacket>): AudioSink {
  return {
    send: ({ isStart, isEnd, data }) => sender.send({ is_start: isStart, is_end: isEnd, data }),
    end: (error) => sender.end(error),
  };
}

/** Returns undefined for a response that is neither a state nor a status. */
export function statusAnswer({ response, state, status }: DeviceStatusResponse): StatusAnswer | undefined {
  if (response === "state") return { kind: "status", status: deviceStatus(state!) };
  if (response !== "status") return undefined;
  return { kind: "leds", failure: status === statusSuccess ? undefined : (status ?? "") };
}

/** Returns undefined for an event without a button. */
export function buttonEvent({ button_event }: DeviceEvent): ButtonEvent | undefined {
  if (button_event === undefined || button_event === null) return undefined;
  return { buttonId: button_event.button_id, event: button_event.event };
}

function deviceStatus(message: DeviceStatusMessage): DeviceStatus {
  const { button_1, button_2, button_3, button_4, battery_level } = message;
  return {
    leds: [...toLeds(message)],
    pressed: [button_1, button_2, button_3, button_4].map((button) => button === buttonPressed),
    battery: Number.isFinite(battery_level) ? battery_level : null,
  };
}
