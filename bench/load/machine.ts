/** The machine of a run, as far as it explains the figures; nothing that names it. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";

export interface Machine {
  processors: number;
  model: string;
  memoryBytes: number;
  system: string;
  bun: string;
}

export function thisMachine(): Machine {
  return {
    processors: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryBytes: totalmem(),
    // A kernel's release may end in a name of its builder.
    system: `${platform()} ${release().replace(/-.*$/, "")} ${arch()}`,
    bun: Bun.version,
  };
}
