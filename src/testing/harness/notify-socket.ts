/** The socket on which systemd receives the notifications of a service, for tests. Linux only. */
import { FFIType } from "bun:ffi";
import { rmSync } from "node:fs";
import { loadCFunctions } from "../../base/system/c-library.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

const functions = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: FFIType.i64_fast },
  close: { args: ["i32"], returns: "i32" },
} as const;

export class NotifySocket {
  readonly #libc = loadCFunctions(functions)!;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #received: string[] = [];

  /** A `path` that begins with @ is abstract. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = this.#libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    const name = path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`;
    const address = Buffer.concat([Buffer.of(AF_UNIX, 0), Buffer.from(name)]);
    if (this.#libc.bind(this.#descriptor, address, address.length) !== 0)
      throw new Error(`cannot bind ${path}`);
  }

  /** All notifications so far, oldest first. */
  get received(): readonly string[] {
    const bytes = Buffer.alloc(4096);
    for (;;) {
      const length = Number(this.#libc.recv(this.#descriptor, bytes, bytes.length, MSG_DONTWAIT));
      if (length < 0) return this.#received;
      this.#received.push(bytes.toString("utf8", 0, length));
    }
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#descriptor);
    if (!this.#path.startsWith("@")) rmSync(this.#path, { force: true });
  }
}
