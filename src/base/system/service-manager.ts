/**
 * Notifies systemd of the state of the service: ready, reloading, stopping, and alive for the watchdog. Each notification is one
 * datagram to the socket that `NOTIFY_SOCKET` names; the runtime has no such sockets, so the C library sends it.
 * https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
import { FFIType } from "bun:ffi";
import type { Log } from "../log/log.ts";
import { RateLimitedLog } from "../log/rate-limited-log.ts";
import { loadCFunctions, loadErrno } from "./c-library.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Constants of Linux, the only system that has systemd. */
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 0o2004002;
/** `sun_path` of `sockaddr_un`. */
const maxPathBytes = 108;

const functions = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "usize", "i32", "ptr", "u32"], returns: FFIType.i64_fast },
  close: { args: ["i32"], returns: "i32" },
} as const;

export class ServiceManager {
  /** Undefined if systemd did not start this process, or cannot be notified: then nothing is sent. */
  readonly #send: ((state: string) => void) | undefined;
  /** Undefined without a watchdog. */
  readonly #watchdogMs: number | undefined;
  #watchdog: Timer | undefined;
  #status = "";

  static open(environment: Environment, log: Log): ServiceManager {
    const path = environment["NOTIFY_SOCKET"];
    const isManaged = path && process.platform === "linux";
    return new ServiceManager(isManaged ? openSender(path, log) : undefined, watchdogMs(environment));
  }

  private constructor(send: ((state: string) => void) | undefined, watchdogMs: number | undefined) {
    this.#send = send;
    this.#watchdogMs = watchdogMs;
  }

  /** The service works. `status` is one line for people. */
  ready(status: string): void {
    this.#status = status.replaceAll("\n", " ");
    this.#sendReady();
    if (this.#send === undefined || this.#watchdogMs === undefined) return;
    // The timer runs on the main thread: a thread that hangs sends nothing, and systemd restarts the service.
    this.#watchdog = setInterval(this.#send, this.#watchdogMs, "WATCHDOG=1");
    this.#watchdog.unref();
  }

  /** The service is ready again after `reload`, whether or not that changed anything. */
  async reload(reload: () => Promise<void>): Promise<void> {
    // systemd tells by the time whether this reload began before or after its request.
    this.#send?.(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await reload();
    } finally {
      this.#sendReady();
    }
  }

  /** `limitMs`: systemd must not end the service before it has had this long. */
  async stop(close: () => Promise<void>, limitMs: number): Promise<void> {
    this.#send?.(`STOPPING=1\nSTATUS=shutting down\nEXTEND_TIMEOUT_USEC=${limitMs * 1000}`);
    await close();
  }

  /** Ends the timer of the watchdog. */
  close(): void {
    clearInterval(this.#watchdog);
  }

  #sendReady(): void {
    this.#send?.(`READY=1\nSTATUS=${this.#status}`);
  }
}

/** Half of the time after which systemd considers the service to hang. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment): number | undefined {
  const limitMs = Number(WATCHDOG_USEC) / 1000;
  if (!(limitMs > 0)) return undefined;
  const isForThisProcess = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid);
  return isForThisProcess ? limitMs / 2 : undefined;
}

function openSender(path: string, log: Log): ((state: string) => void) | undefined {
  const libc = loadCFunctions(functions);
  const address = addressOf(path);
  if (libc === undefined || address === undefined) {
    log.warn("systemd cannot be notified", { path });
    return undefined;
  }
  const errno = loadErrno();
  const limited = new RateLimitedLog(log);
  return (state) => {
    const bytes = Buffer.from(state);
    // A descriptor for each notification: they are rare, and none stays open for a child process.
    const descriptor = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
    const sent = libc.sendto(descriptor, bytes, bytes.length, 0, address, address.length);
    if (sent < 0) limited.warn("systemd was not notified", { path, errno: errno() });
    if (descriptor >= 0) libc.close(descriptor);
  };
}

/** A `sockaddr_un`. A path that begins with @ is abstract: it names no file. Undefined if the path is too long. */
function addressOf(path: string): Buffer | undefined {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > maxPathBytes) return undefined;
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;
  return Buffer.concat([family, name]);
}
