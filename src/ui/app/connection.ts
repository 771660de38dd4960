/**
 * Whether the server answers. When it does not, the page asks until it does again, and everything on it loads anew by
 * `reconnections`: nobody has to press a button.
 */
import { signal } from "@preact/signals";
import { addressOf } from "./address.ts";

export type ConnectionState = "connected" | "lost" | "starting";

export const connection = signal<ConnectionState>("connected");
/** How often the server came back. What is shown of the server depends on it, and loads again. */
export const reconnections = signal(0);

const probeMs = 1_000;

/** The server did not answer, or only that it is starting. */
export function reportLost(state: "lost" | "starting"): void {
  const isNew = connection.value === "connected";
  connection.value = state;
  if (isNew) void probe();
}

/** Asks the server whether it is there, after a failure that does not say so. */
export async function checkConnection(): Promise<void> {
  const found = await stateOfServer();
  if (found !== "connected") reportLost(found);
}

async function probe(): Promise<void> {
  while (connection.value !== "connected") {
    await new Promise((resolve) => setTimeout(resolve, probeMs));
    const found = await stateOfServer();
    connection.value = found;
    if (found === "connected") reconnections.value += 1;
  }
}

async function stateOfServer(): Promise<ConnectionState> {
  try {
    const answer = await fetch(addressOf("api/session"), { cache: "no-store" });
    return answer.status === 503 ? "starting" : answer.status >= 502 ? "lost" : "connected";
  } catch {
    return "lost";
  }
}
