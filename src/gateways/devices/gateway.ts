/** The gRPC port of devices, with what standard tools ask for: health, and a description of the service. */
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import {
  deviceIdleMs,
  deviceKeepaliveMs,
  deviceKeepaliveTimeoutMs,
  maxDeviceMessageBytes,
  maxDeviceStreams,
} from "../../base/limits/devices.ts";
import type { Log } from "../../base/log.ts";
import { deviceServiceName } from "../../wire/devices.ts";
import { type CertificateSource, RenewedCredentials } from "./credentials.ts";
import { loadDeviceProtocol } from "./protocol.ts";
import { DeviceService, type DeviceStreams } from "./service.ts";

export interface DeviceGatewaySettings {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Undefined: without TLS. */
  certificates: CertificateSource | undefined;
  devices: DeviceStreams;
  meter: GatewayMeter;
  log: Log;
  /** How often the connection of a silent device is tried. */
  keepaliveMs?: number;
  keepaliveTimeoutMs?: number;
  /** How long a connection may be without a stream. */
  idleMs?: number;
}

/** How long a shutdown waits for devices to read their last messages. */
const closeGraceMs = 1_000;

export class DeviceGateway {
  readonly port: number;
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #forgetCertificates: () => void;

  private constructor(
    server: Server,
    health: HealthImplementation,
    forgetCertificates: () => void,
    port: number,
  ) {
    this.#server = server;
    this.#health = health;
    this.#forgetCertificates = forgetCertificates;
    this.port = port;
  }

  /** Rejects if the port cannot be had. */
  static async open(settings: DeviceGatewaySettings): Promise<DeviceGateway> {
    // What goes wrong is said by us: the library would write to the terminal.
    setLogVerbosity(logVerbosity.NONE);
    const { host, port, certificates, devices, meter, log } = settings;
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
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const [credentials, forget] = credentialsOf(certificates);
    try {
      return new DeviceGateway(server, health, forget, await bind(server, address, credentials));
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Frees the port. The engine has ended the streams of devices before. */
  async close(): Promise<void> {
    this.#forgetCertificates();
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

/** Credentials, and what ends their renewal. */
function credentialsOf(certificates: CertificateSource | undefined): [ServerCredentials, () => void] {
  if (certificates === undefined) return [ServerCredentials.createInsecure(), () => undefined];
  const credentials = new RenewedCredentials(certificates.current);
  return [credentials, certificates.onChange((certificate) => credentials.renew(certificate))];
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) =>
      error ? reject(bindError(error)) : resolve(port),
    );
  });
}

/** What the system said, without the words of the library around it. */
function bindError(error: Error): Error {
  const cause = /\[(.*)\]$/.exec(error.message)?.[1];
  const code = /\b(E[A-Z]+)\b/.exec(cause ?? "")?.[1];
  return cause === undefined ? error : Object.assign(new Error(cause, { cause: error }), { code });
}
