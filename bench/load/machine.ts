/** The machine of a run, as far as it explains the figures; nothing that names it. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";

export interface Machine {
  processors: number;
  model: string;
  memoryBytes: number;
  system: string;
  bun: string;
  /**
   * How TCP controls congestion, where the system says so. It matters on loopback too: one that paces (bbr) costs a
   * timer for each segment.
   */
  tcp: string | undefined;
}

export function thisMachine(): Machine {
  return {
    processors: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryBytes: totalmem(),
    // A kernel's release may end in a name of its builder.
    system: `${platform()} ${release().replace(/-.*$/, "")} ${arch()}`,
    bun: Bun.version,
    tcp: platform() === "linux" ? congestionControl() : undefined,
  };
}

/** Undefined where a container hides it. */
function congestionControl(): string | undefined {
  try {
    return readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
