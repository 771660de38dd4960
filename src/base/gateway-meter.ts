import type { ErrorCode } from "./errors.ts";

/** The counters of one gateway, for `/metrics`. They are plain numbers: a frame costs one addition. */
export class GatewayMeter {
  /** The gateway's name in the metrics, such as "audio-cache". */
  readonly gateway: string;
  /** Open connections; for a gateway without connections its running transfers. */
  connections = 0;
  /** Connections opened since the start. */
  connected = 0;
  /** Payload bytes from peers since the start, without the framing of the transport. */
  bytesIn = 0;
  /** Payload bytes to peers since the start, without the framing of the transport. */
  bytesOut = 0;
  /** Errors that peers got, by code. */
  readonly errors = new Map<ErrorCode, number>();
  /** Messages that broke the gateway's protocol and have no code of their own. */
  refused = 0;
  /** Live audio that was skipped because a peer read too slowly. */
  skippedBytes = 0;

  constructor(gateway: string) {
    this.gateway = gateway;
  }

  opened(): void {
    this.connections += 1;
    this.connected += 1;
  }

  closed(): void {
    this.connections -= 1;
  }

  failed(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}

/** The meters of all gateways of a server. */
export class GatewayMeters {
  readonly #meters: GatewayMeter[] = [];

  get all(): readonly GatewayMeter[] {
    return this.#meters;
  }

  /** A new meter; no other gateway may have its name. */
  add(gateway: string): GatewayMeter {
    if (this.#meters.some((meter) => meter.gateway === gateway))
      throw new RangeError(`two gateways named ${gateway}`);
    const meter = new GatewayMeter(gateway);
    this.#meters.push(meter);
    return meter;
  }
}
