/** Path of the definition of the service of devices, also in a single file. */
export { default as deviceProtoFile } from "./devices.proto" with { type: "file" };
