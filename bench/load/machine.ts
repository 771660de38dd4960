/** The machine of a run, as far as it explains the figures; nothing that names it. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { systemText } from "../../src/base/system-text.ts";

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
    tcp: systemText("/proc/sys/net/ipv4/tcp_congestion_control"),
  };
}
