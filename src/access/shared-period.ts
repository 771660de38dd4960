/**
 * The period of a device that a link shares. As a resource of its own it is `recordings/DEVICE@FROM-TO`, with µs since
 * 1970, and `.STREAM` behind it if only that stream is shared. No device has an `@` in its name, so no grant on the
 * recordings of a device comes of it.
 */

export interface SharedPeriod {
  /** The device, or the stream id of a device without one. */
  name: string;
  /** µs since 1970. */
  fromUs: number;
  toUs: number;
  /** Undefined for all streams of the device. */
  streamId: number | undefined;
}

const shape = /^recordings\/([^@]+)@(\d{1,16})-(\d{1,16})(?:\.(\d{1,10}))?$/s;

export function resourceOfPeriod({ name, fromUs, toUs, streamId }: SharedPeriod): string {
  return `recordings/${name}@${fromUs}-${toUs}${streamId === undefined ? "" : `.${streamId}`}`;
}

/** Undefined for a resource that is no period. */
export function periodOfResource(resource: string): SharedPeriod | undefined {
  const [, name, fromUs, toUs, streamId] = shape.exec(resource) ?? [];
  if (name === undefined) return undefined;
  const bounds = { fromUs: Number(fromUs), toUs: Number(toUs) };
  return { name, ...bounds, streamId: streamId === undefined ? undefined : Number(streamId) };
}

/** Whether all audio of the period is shared. */
export function isShared(period: SharedPeriod, shared: SharedPeriod): boolean {
  const isWithin = period.fromUs >= shared.fromUs && period.toUs <= shared.toUs;
  const isStream = shared.streamId === undefined || period.streamId === shared.streamId;
  return period.name === shared.name && isWithin && isStream;
}
