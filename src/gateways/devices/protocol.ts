/** `devices.proto` for the server, with message bytes counted by the meter. */
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { deviceProtoOptions, deviceServiceName } from "../../wire/devices.ts";
import { deviceProtoFile } from "../../wire/device-proto-file.ts";

export interface DeviceProtocol {
  /** All definitions in the file, for the reflection service. */
  definition: PackageDefinition;
  service: ServiceDefinition;
}

export function loadDeviceProtocol(meter: GatewayMeter): DeviceProtocol {
  const definition = loadSync(deviceProtoFile, deviceProtoOptions);
  // The type of a definition includes messages and enums. This name is the service.
  const service = definition[deviceServiceName] as ServiceDefinition;
  const methods = Object.entries(service).map(([name, method]) => [name, metered(method, meter)]);
  return { definition, service: Object.fromEntries(methods) };
}

function metered<In, Out>(method: MethodDefinition<In, Out>, meter: GatewayMeter): MethodDefinition<In, Out> {
  return {
    ...method,
    requestDeserialize: (bytes) => {
      meter.bytesIn += bytes.length;
      return method.requestDeserialize(bytes);
    },
    responseSerialize: (message) => {
      const bytes = method.responseSerialize(message);
      meter.bytesOut += bytes.length;
      return bytes;
    },
  };
}
