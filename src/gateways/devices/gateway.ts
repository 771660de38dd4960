/** The gRPC port of devices. It also serves the health and reflection services that standard tools use. */
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import { isLoopback } from "../../base/address-list.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import {
  deviceIdleMs,
  deviceKeepaliveMs,
  deviceKeepaliveTimeoutMs,
  maxDeviceMessageBytes,
  maxDeviceStreams,
} from "../../base/limits/devices.ts";
import type { Log } from "../../base/log.ts";
import { authorityOf } from "../../listen/authority.ts";
import { deviceServiceName } from "../../wire/devices.ts";
import { type CertificateSource, RenewableCredentials } from "./credentials.ts";
import { loadDeviceProtocol } from "./protocol.ts";
import { DeviceService, type DeviceStreams } from "./service.ts";

export interface DeviceGatewaySettings {
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** Undefined disables TLS. */
  certificates: CertificateSource | undefined;
  devices: DeviceStreams;
  meter: GatewayMeter;
  log: Log;
  /** Interval of keepalive pings. */
  keepaliveMs?: number;
  keepaliveTimeoutMs?: number;
  /** A connection without a stream closes after this. */
  idleMs?: number;
}

/** A shutdown waits this long for devices to read their last messages, then cuts the connections. */
const closeGraceMs = 1_000;

export class DeviceGateway {
  readonly port: number;
  /** As a URL. */
  readonly address: string;
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #stopRenewal: () => void;

  private constructor(
    server: Server,
    health: HealthImplementation,
    stopRenewal: () => void,
    { host, certificates }: DeviceGatewaySettings,
    port: number,
  ) {
    this.#server = server;
    this.#health = health;
    this.#stopRenewal = stopRenewal;
    this.port = port;
    this.address = `grpc${certificates === undefined ? "" : "s"}://${authorityOf(host, port)}`;
  }

  /** Rejects if the port cannot be bound. */
  static async open(settings: DeviceGatewaySettings): Promise<DeviceGateway> {
    // grpc-js would write its errors to stderr. The server logs them itself.
    setLogVerbosity(logVerbosity.NONE);
    const { host, port, certificates, devices, meter, log } = settings;
    if (certificates === undefined && !isLoopback(host))
      log.warn("devices connect to this address without encryption; --grpc-tls enables TLS", { host });
    const { definition, service } = loadDeviceProtocol(meter);
    const server = new Server({
      "grpc.max_receive_message_length": maxDeviceMessageBytes,
      "grpc.max_concurrent_streams": maxDeviceStreams,
      "grpc.keepalive_time_ms": settings.keepaliveMs ?? deviceKeepaliveMs,
      "grpc.keepalive_timeout_ms": settings.keepaliveTimeoutMs ?? deviceKeepaliveTimeoutMs,
      "grpc.max_connection_idle_ms": settings.idleMs ?? deviceIdleMs,
      "grpc.enable_channelz": 0,
    });
    server.addService(service, new DeviceService(devices, meter, log).handlers);
    const health = new HealthImplementation({ "": "SERVING", [deviceServiceName]: "SERVING" });
    health.addToServer(server);
    new ReflectionService({ ...definition, ...loadSync(healthProto) }).addToServer(server);
    const [credentials, stopRenewal] = credentialsOf(certificates);
    try {
      const bound = await bind(server, authorityOf(host, port), credentials);
      return new DeviceGateway(server, health, stopRenewal, settings, bound);
    } catch (error) {
      stopRenewal();
      throw error;
    }
  }

  /** Closes the port. The engine must have ended the device streams before. */
  async close(): Promise<void> {
    this.#stopRenewal();
    this.#health.setStatus("", "NOT_SERVING");
    this.#health.setStatus(deviceServiceName, "NOT_SERVING");
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#server.forceShutdown();
      resolve();
    }, closeGraceMs);
    this.#server.tryShutdown(() => resolve());
    await promise;
    clearTimeout(timer);
  }
}

/** Credentials, and the function that stops their renewal. */
function credentialsOf(certificates: CertificateSource | undefined): [ServerCredentials, () => void] {
  if (certificates === undefined) return [ServerCredentials.createInsecure(), () => undefined];
  const credentials = new RenewableCredentials(certificates.current);
  return [credentials, certificates.onChange((certificate) => credentials.renew(certificate))];
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) =>
      error ? reject(bindError(error)) : resolve(port),
    );
  });
}

/** The system's error, without the text that grpc-js wraps around it. */
function bindError(error: Error): Error {
  const cause = /\[(.*)\]$/.exec(error.message)?.[1];
  const code = /\b(E[A-Z]+)\b/.exec(cause ?? "")?.[1];
  return cause === undefined ? error : Object.assign(new Error(cause, { cause: error }), { code });
}
