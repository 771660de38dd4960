/** The board of a device. What a button does is shown when the server says so, a moment later. */
import type { JSX } from "preact";
import { setMode } from "../../api/devices.ts";
import type { Device } from "../../api/resources.ts";
import { grants } from "../../app/session.ts";
import { formatAgo } from "../../parts/format.ts";
import { notifyError } from "../../parts/toasts.tsx";
import { BoardButton } from "./board-button.tsx";
import { DeviceHistory } from "./device-history.tsx";
import { ledColor } from "./led-color.ts";

const modes = [0, 1, 2, 3, 4, 5] as const;
const buttons = [
  { button: "connect", label: "Connect", title: "Asks the device for its state" },
  { button: "mode", label: "Mode", title: "The next mode" },
  { button: "stop", label: "Stop", title: "Ends the sound, and returns to mode 0" },
  { button: "play", label: "Play", title: "Plays the sound of the mode" },
] as const;

interface DeviceCardProps {
  device: Device;
  /** How often something happened to it. */
  changes: number;
}

export function DeviceCard({ device, changes }: DeviceCardProps): JSX.Element {
  const mayControl = grants.value.may("control", `devices/${device.deviceId}`);
  return (
    <article class={device.connected ? "card board" : "card board away"} aria-label={device.deviceId}>
      <BoardHead device={device} />
      <Leds leds={device.leds} />
      <Buttons device={device} mayControl={mayControl} />
      <Modes device={device} mayControl={mayControl} />
      <DeviceHistory deviceId={device.deviceId} changes={changes} />
    </article>
  );
}

function BoardHead({ device }: { device: Device }): JSX.Element {
  const { deviceId, connected, lastSeen, battery, mode, playing, recording } = device;
  const state = playing === null ? `Mode ${mode}` : `Plays the sound of mode ${playing}`;
  return (
    <header class="board-head">
      <h2 class="cut" dir="auto">
        {deviceId}
      </h2>
      {battery !== null && <Battery percent={battery} />}
      {recording && <span class="badge accent">Recording</span>}
      <span class={connected ? "badge ok" : "badge"}>
        {connected ? "connected" : `away, seen ${formatAgo(lastSeen, Date.now())}`}
      </span>
      <p class="board-state muted" role="status">
        {state}
      </p>
    </header>
  );
}

function Battery({ percent }: { percent: number }): JSX.Element {
  const rounded = Math.round(percent);
  return (
    <span class={rounded <= 15 ? "battery low" : "battery"}>
      <span class="battery-cell" aria-hidden="true">
        <span style={{ transform: `scaleX(${Math.min(1, Math.max(0, percent / 100))})` }} />
      </span>
      <span class="figure muted">
        <span class="spoken">Battery </span>
        {rounded} %
      </span>
    </span>
  );
}

function Leds({ leds }: { leds: readonly string[] }): JSX.Element {
  return (
    <ol class="board-leds" aria-label="LEDs">
      {leds.map((rgba, index) => {
        const { color, name } = ledColor(rgba);
        const shine = color === undefined ? {} : { backgroundColor: color, boxShadow: `0 0 14px ${color}` };
        return (
          <li key={index} class="board-led" data-color={rgba}>
            <span class="board-led-light" style={shine} aria-hidden="true" />
            <span class="spoken">
              LED {index} {name}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

interface ControlsProps {
  device: Device;
  mayControl: boolean;
}

function Buttons({ device, mayControl }: ControlsProps): JSX.Element {
  const { deviceId, connected, report, held } = device;
  return (
    <div class="board-buttons" role="group" aria-label="Buttons">
      {buttons.map(({ button, label, title }, index) => (
        <BoardButton
          key={button}
          deviceId={deviceId}
          button={button}
          label={label}
          title={title}
          isHeld={held[index] === true || report?.pressed[index] === true}
          isDisabled={!mayControl || !connected}
        />
      ))}
    </div>
  );
}

function Modes({ device: { deviceId, mode }, mayControl }: ControlsProps): JSX.Element {
  return (
    <div class="segments board-modes" role="group" aria-label="Mode">
      {modes.map((each) => (
        <button
          key={each}
          type="button"
          class={each === mode ? "button on" : "button"}
          aria-pressed={each === mode}
          disabled={!mayControl}
          onClick={() => act(setMode(deviceId, each))}
        >
          <span class="spoken">Mode </span>
          {each}
        </button>
      ))}
    </div>
  );
}

/** Its effect arrives with the state of the device. */
function act(action: Promise<Device>): void {
  action.catch(notifyError);
}
