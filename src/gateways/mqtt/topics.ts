/** The topics of a server, below its prefix. Ids have no slash and no wildcard, so they are levels as they are. */

export class Topics {
  /** `online`, or `offline`. */
  readonly status: string;
  /** Filters of the topics that devices take commands by. */
  readonly commands: readonly string[];
  /** A filter of the states of all devices that record. */
  readonly recorders: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.status = `${prefix}/status`;
    this.commands = [`${prefix}/devices/+/mode/set`, `${prefix}/devices/+/action`];
    this.recorders = `${prefix}/recordings/+/recording`;
  }

  /** A subject has two levels or one. */
  event(type: string, subject: string): string {
    return `${this.#prefix}/events/${type}/${subject}`;
  }

  device(deviceId: string, what: "availability" | "state" | "mode/set" | "action"): string {
    return `${this.#prefix}/devices/${deviceId}/${what}`;
  }

  button(deviceId: string, button: string): string {
    return `${this.#prefix}/devices/${deviceId}/button/${button}`;
  }

  recorder(device: string, what: "recording" | "level"): string {
    return `${this.#prefix}/recordings/${device}/${what}`;
  }

  /** The device of a topic that `commands` or `recorders` matches, and the rest of the topic. */
  parse(topic: string): { id: string; what: string } | undefined {
    if (!topic.startsWith(`${this.#prefix}/`)) return undefined;
    const [, id = "", ...what] = topic.slice(this.#prefix.length + 1).split("/");
    return { id, what: what.join("/") };
  }
}
