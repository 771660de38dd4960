/** The descriptors (open files and sockets) of this process, as Linux reports them. */
import { readdirSync, statSync } from "node:fs";
import { systemCode } from "../errors.ts";
import { systemText } from "./system-text.ts";

const folder = "/proc/self/fd";

/**
 * How many descriptors the process may have; undefined on other systems. Bun raises the soft limit to the hard one. It is
 * read at once: later there may be no descriptor to read it with.
 */
export const descriptorLimit = readLimit();

function readLimit(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(systemText("/proc/self/limits") ?? "")?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/** Bun ends the process if a thread finds no descriptor at its start, so none is started with fewer than this free. */
const threadDescriptors = 16;

/** Whether enough descriptors are free to start a thread; true on systems that do not tell. */
export function canStartThread(): boolean {
  const open = openDescriptors();
  return descriptorLimit === undefined || open === undefined || open + threadDescriptors <= descriptorLimit;
}

/** How many descriptors are open; undefined on other systems. Needs no free descriptor on Linux 6.2 or later. */
export function openDescriptors(): number | undefined {
  try {
    const { size } = statSync(folder);
    // Before Linux 6.2 the size of this folder was 0.
    return size > 0 ? size : readdirSync(folder).length;
  } catch (error) {
    const code = systemCode(error);
    if (code === "EMFILE" || code === "ENFILE") return Number.POSITIVE_INFINITY;
    if (code !== undefined) return undefined;
    throw error;
  }
}
