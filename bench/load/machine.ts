/** Describes the machine of a run as far as that explains the figures, without identifying it. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { systemText } from "../../src/base/system/system-text.ts";

export interface Machine {
  processors: number;
  model: string;
  memoryBytes: number;
  system: string;
  bun: string;
  /**
   * The TCP congestion control, where the system reports it. It matters on loopback too: a pacing one (bbr) costs a
   * timer per segment.
   */
  tcp: string | undefined;
}

export function thisMachine(): Machine {
  return {
    processors: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryBytes: totalmem(),
    // A kernel's release may end in a builder's name.
    system: `${platform()} ${release().replace(/-.*$/, "")} ${arch()}`,
    bun: Bun.version,
    tcp: systemText("/proc/sys/net/ipv4/tcp_congestion_control"),
  };
}
