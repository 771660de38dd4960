/**
 * Loaded into a server before its program: has it write so many events a second (`EVENTS_PER_SECOND`), as devices with
 * busy buttons would. No client could cause them as cheaply, and its requests would be measured with them.
 */
import { EventLog } from "../../src/engine/events/event-log.ts";

const intervalMs = 20;
const devices = 100;
const perSecond = Number(process.env["EVENTS_PER_SECOND"]);

function flood(log: EventLog): void {
  const began = performance.now();
  let added = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - began) * perSecond) / 1000);
    for (; added < due; added += 1) {
      const deviceId = `bench-${added % devices}`;
      log.add("device.button", `devices/${deviceId}`, {
        deviceId,
        button: "play",
        event: "press",
        remote: false,
      });
    }
  }, intervalMs);
}

const { open } = EventLog.prototype;
EventLog.prototype.open = async function openWithFlood(this: EventLog): Promise<void> {
  await open.call(this);
  flood(this);
};
