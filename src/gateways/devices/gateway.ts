/** The gRPC port of devices. It also serves the health and reflection services that standard tools use. */
import { logVerbosity, Server, ServerCredentials, type ServerOptions, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import type { Access } from "../../access/access.ts";
import { isLoopback } from "../../base/address-list.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import {
  deviceIdleMs,
  deviceKeepaliveMs,
  deviceKeepaliveTimeoutMs,
  maxDeviceMessageBytes,
  maxDeviceStreams,
} from "../../base/limits/devices.ts";
import type { Log } from "../../base/log/log.ts";
import { authorityOf } from "../../listen/authority.ts";
import { deviceServiceName } from "../../wire/devices.ts";
import type { ConnectionLimit } from "../../listen/connections/connection-limit.ts";
import { type CertificateSource, DevicePort } from "./device-port.ts";
import { loadDeviceProtocol } from "./protocol.ts";
import { DeviceService, type DeviceStreams } from "./service.ts";

export interface DeviceGatewaySettings {
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** Undefined disables TLS. */
  certificates: CertificateSource | undefined;
  devices: DeviceStreams;
  access: Access;
  limit: ConnectionLimit;
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
  /** As a URL. */
  readonly address: string;
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #port: DevicePort;

  private constructor(
    server: Server,
    health: HealthImplementation,
    port: DevicePort,
    settings: DeviceGatewaySettings,
  ) {
    this.#server = server;
    this.#health = health;
    this.#port = port;
    const scheme = settings.certificates === undefined ? "grpc" : "grpcs";
    this.address = `${scheme}://${authorityOf(settings.host, port.port)}`;
  }

  get port(): number {
    return this.#port.port;
  }

  /** Rejects if the port cannot be bound. */
  static async open(settings: DeviceGatewaySettings): Promise<DeviceGateway> {
    // grpc-js would write its errors to stderr. The server logs them itself.
    setLogVerbosity(logVerbosity.NONE);
    const { host, port, certificates, limit, meter, log } = settings;
    if (certificates === undefined && !isLoopback(host))
      log.warn("devices connect to this address without encryption; --grpc-tls enables TLS", { host });
    const admission = { limits: [limit], meter, log };
    const devicePort = new DevicePort({ host, certificates, admission }, (socket) =>
      injector.injectConnection(socket),
    );
    const server = new Server({ ...optionsOf(settings), interceptors: [devicePort.interceptor] });
    const health = addServices(server, settings);
    // The sockets speak TLS already, where that is enabled.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    try {
      await devicePort.listen(port);
      return new DeviceGateway(server, health, devicePort, settings);
    } catch (error) {
      devicePort.close();
      server.forceShutdown();
      throw error;
    }
  }

  /** Closes the port. The engine must have ended the device streams before. */
  async close(): Promise<void> {
    this.#port.close();
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

function optionsOf({ keepaliveMs, keepaliveTimeoutMs, idleMs }: DeviceGatewaySettings): ServerOptions {
  return {
    "grpc.max_receive_message_length": maxDeviceMessageBytes,
    "grpc.max_concurrent_streams": maxDeviceStreams,
    "grpc.keepalive_time_ms": keepaliveMs ?? deviceKeepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs ?? deviceKeepaliveTimeoutMs,
    "grpc.max_connection_idle_ms": idleMs ?? deviceIdleMs,
    "grpc.enable_channelz": 0,
  };
}

/** Adds the device streams, health and reflection. */
function addServices(
  server: Server,
  { devices, access, meter, log }: DeviceGatewaySettings,
): HealthImplementation {
  const { definition, service } = loadDeviceProtocol(meter);
  server.addService(service, new DeviceService(devices, access, meter, log).handlers);
  const health = new HealthImplementation({ "": "SERVING", [deviceServiceName]: "SERVING" });
  health.addToServer(server);
  new ReflectionService({ ...definition, ...loadSync(healthProto) }).addToServer(server);
  return health;
}
