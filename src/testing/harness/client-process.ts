/** The command line client as a process. */
import { join } from "node:path";

const program = join(import.meta.dir, "../../cli/main.ts");

export interface ClientProcessOptions {
  cwd?: string;
  /** Added to the environment of the test runner, or overriding it. */
  env?: Record<string, string>;
  /** Standard input; empty by default. */
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
