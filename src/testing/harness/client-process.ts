/** The command line client as a process of its own. */
import { join } from "node:path";

const program = join(import.meta.dir, "../../cli/main.ts");

export interface ClientProcessOptions {
  cwd?: string;
  /** Beside the runner's own, or in its place. */
  env?: Record<string, string>;
  /** What comes on its standard input; nothing by default. */
  input?: Uint8Array | ReadableStream<Uint8Array>;
}

export interface FinishedClient {
  out: string;
  err: string;
  code: number;
}

export function startClient(args: readonly string[], { cwd, env, input }: ClientProcessOptions = {}) {
  return Bun.spawn([process.execPath, "run", program, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdin: input ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

export async function runClient(
  args: readonly string[],
  options: ClientProcessOptions = {},
): Promise<FinishedClient> {
  const child = startClient(args, options);
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}
