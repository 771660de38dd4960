import type { ErrorCode } from "./errors.ts";

/** What one door counts, for `/metrics`. Plain numbers, so that a frame costs an addition. */
export class GatewayMeter {
  /** The door's name in the metrics, such as "audio-cache". */
  readonly door: string;
  /** Open now. For a door without connections: transfers under way. */
  connections = 0;
  /** Opened since the start. */
  connected = 0;
  /** Payload bytes from peers since the start, without the framing of the transport. */
  bytesIn = 0;
  /** Payload bytes to peers since the start, without the framing of the transport. */
  bytesOut = 0;
  /** What peers were refused with. */
  readonly errors = new Map<ErrorCode, number>();
  /** Messages that broke the door's protocol and have no code of their own. */
  refused = 0;
  /** Live audio that was not sent because a peer did not keep up. */
  skippedBytes = 0;

  constructor(door: string) {
    this.door = door;
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

/** The meters of all doors of a server. */
export class GatewayMeters {
  readonly #meters: GatewayMeter[] = [];

  get all(): readonly GatewayMeter[] {
    return this.#meters;
  }

  /** A new meter; the name must not be taken. */
  add(door: string): GatewayMeter {
    if (this.#meters.some((meter) => meter.door === door)) throw new RangeError(`two doors named ${door}`);
    const meter = new GatewayMeter(door);
    this.#meters.push(meter);
    return meter;
  }
}
