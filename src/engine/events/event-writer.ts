/** Where the engine reports facts that have no transaction of their own. */
import type { EventData, EventType } from "../../store/events/types.ts";

export interface EventWriter {
  /** Writes the event soon, together with others. */
  add<T extends EventType>(type: T, subject: string, data: EventData<T>): void;
}
