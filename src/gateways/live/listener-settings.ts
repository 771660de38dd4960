import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";

export interface ListenerHost {
  meter: GatewayMeter;
  log: Log;
}

export interface ListenerSettings extends ListenerHost {
  /** For the log. */
  name: string;
  /** Aborted when the listener may not listen any more. */
  ended: AbortSignal;
}
